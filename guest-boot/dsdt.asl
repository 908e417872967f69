/*
 * dsdt.asl: what the guest's ACPI namespace holds: the PCI root, COM1, the
 * power-off state and, when the launcher attaches devices by virtio-mmio,
 * those. iasl compiles it at build time; acpi.c puts it into the guest.
 *
 * The numbers repeat include/layout.h, since iasl does not read C.
 */
DefinitionBlock ("", "DSDT", 2, "LODGE", "LODGEDSD", 1)
{
    // Power off: SLP_TYP 5 into the sleep control register (devices/power.c).
    Name (_S5, Package () { 5, 0, 0, 0 })

    Scope (\_SB)
    {
        // One dword the launcher leaves at the end of the ACPI area:
        // bit n is set if virtio-mmio device n exists.
        OperationRegion (FACT, SystemMemory, 0x000FFFF0, 4)
        Field (FACT, DWordAcc, NoLock, Preserve)
        {
            VMIO, 32
        }

        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, 0)
            Name (_BBN, 0)
            Name (_UID, 0)
            Name (_CCA, 1)
            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                    0, 0, 0, 0, 1)
                IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
                    NonCacheable, ReadWrite,
                    0, 0xC0000000, 0xDFFFFFFF, 0, 0x20000000)
            })

            // Nothing here that the guest would have to share control of.
            Method (_OSC, 4)
            {
                Return (Arg3)
            }
        }

        // The configuration window (ECAM) belongs to the board.
        Device (MBRD)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0xE0000000, 0x00100000)
            })
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, 0)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x03F8, 0x03F8, 1, 8)
                Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 4 }
            })
        }

        // What all virtio-mmio devices have in common: presence by bit, and
        // one window of registers with one interrupt.
        Method (VSTA, 1)
        {
            If ((VMIO >> Arg0) & 1)
            {
                Return (0x0F)
            }
            Return (0)
        }

        Method (VCRS, 2, Serialized)
        {
            Name (RSRC, ResourceTemplate ()
            {
                Memory32Fixed (ReadWrite, 0, 0x200, REGS)
                Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive, , , LINE) { 0 }
            })
            CreateDWordField (RSRC, REGS._BAS, BASE)
            CreateDWordField (RSRC, LINE._INT, GSI)
            BASE = Arg0
            GSI = Arg1
            Return (RSRC)
        }

        Device (VM00) { Name (_HID, "LNRO0005") Name (_UID, 0) Name (_CCA, 1) Method (_STA) { Return (VSTA (0)) } Method (_CRS) { Return (VCRS (0xFEB00000, 5)) } }
        Device (VM01) { Name (_HID, "LNRO0005") Name (_UID, 1) Name (_CCA, 1) Method (_STA) { Return (VSTA (1)) } Method (_CRS) { Return (VCRS (0xFEB01000, 6)) } }
        Device (VM02) { Name (_HID, "LNRO0005") Name (_UID, 2) Name (_CCA, 1) Method (_STA) { Return (VSTA (2)) } Method (_CRS) { Return (VCRS (0xFEB02000, 7)) } }
        Device (VM03) { Name (_HID, "LNRO0005") Name (_UID, 3) Name (_CCA, 1) Method (_STA) { Return (VSTA (3)) } Method (_CRS) { Return (VCRS (0xFEB03000, 10)) } }
        Device (VM04) { Name (_HID, "LNRO0005") Name (_UID, 4) Name (_CCA, 1) Method (_STA) { Return (VSTA (4)) } Method (_CRS) { Return (VCRS (0xFEB04000, 11)) } }
        Device (VM05) { Name (_HID, "LNRO0005") Name (_UID, 5) Name (_CCA, 1) Method (_STA) { Return (VSTA (5)) } Method (_CRS) { Return (VCRS (0xFEB05000, 12)) } }
        Device (VM06) { Name (_HID, "LNRO0005") Name (_UID, 6) Name (_CCA, 1) Method (_STA) { Return (VSTA (6)) } Method (_CRS) { Return (VCRS (0xFEB06000, 13)) } }
        Device (VM07) { Name (_HID, "LNRO0005") Name (_UID, 7) Name (_CCA, 1) Method (_STA) { Return (VSTA (7)) } Method (_CRS) { Return (VCRS (0xFEB07000, 14)) } }
        Device (VM08) { Name (_HID, "LNRO0005") Name (_UID, 8) Name (_CCA, 1) Method (_STA) { Return (VSTA (8)) } Method (_CRS) { Return (VCRS (0xFEB08000, 15)) } }
        Device (VM09) { Name (_HID, "LNRO0005") Name (_UID, 9) Name (_CCA, 1) Method (_STA) { Return (VSTA (9)) } Method (_CRS) { Return (VCRS (0xFEB09000, 16)) } }
        Device (VM10) { Name (_HID, "LNRO0005") Name (_UID, 10) Name (_CCA, 1) Method (_STA) { Return (VSTA (10)) } Method (_CRS) { Return (VCRS (0xFEB0A000, 17)) } }
        Device (VM11) { Name (_HID, "LNRO0005") Name (_UID, 11) Name (_CCA, 1) Method (_STA) { Return (VSTA (11)) } Method (_CRS) { Return (VCRS (0xFEB0B000, 18)) } }
        Device (VM12) { Name (_HID, "LNRO0005") Name (_UID, 12) Name (_CCA, 1) Method (_STA) { Return (VSTA (12)) } Method (_CRS) { Return (VCRS (0xFEB0C000, 19)) } }
        Device (VM13) { Name (_HID, "LNRO0005") Name (_UID, 13) Name (_CCA, 1) Method (_STA) { Return (VSTA (13)) } Method (_CRS) { Return (VCRS (0xFEB0D000, 20)) } }
        Device (VM14) { Name (_HID, "LNRO0005") Name (_UID, 14) Name (_CCA, 1) Method (_STA) { Return (VSTA (14)) } Method (_CRS) { Return (VCRS (0xFEB0E000, 21)) } }
        Device (VM15) { Name (_HID, "LNRO0005") Name (_UID, 15) Name (_CCA, 1) Method (_STA) { Return (VSTA (15)) } Method (_CRS) { Return (VCRS (0xFEB0F000, 22)) } }
        Device (VM16) { Name (_HID, "LNRO0005") Name (_UID, 16) Name (_CCA, 1) Method (_STA) { Return (VSTA (16)) } Method (_CRS) { Return (VCRS (0xFEB10000, 23)) } }
    }
}

/* version.h: the version, for --version and nothing else. */
#ifndef LODGE_VERSION_H
#define LODGE_VERSION_H

#define LODGE_VERSION "0.1"

#endif

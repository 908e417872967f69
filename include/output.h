/*
 * output.h: a file that a word on the command line names, to be written.
 */
#ifndef LODGE_OUTPUT_H
#define LODGE_OUTPUT_H

/*
 * Open for writing what `option` names, made if it is not there; what is in it
 * stays. Never waits: a pipe that nobody reads is an error. Nor is a file taken
 * that somebody has locked: a disk's image. Prints the reason; the file descriptor,
 * or -1. Main, while files can still be opened.
 */
int output_open(const char *option, const char *name);

/* Take out what a file holds; a pipe or a terminal holds nothing. 0, or -1 with errno. Main. */
int output_empty(int fd);

#endif

/* notify.h - tells the service manager how we are: the protocol of sd_notify(3).  Threads: any. */
#ifndef CONSOLE_NOTIFY_H
#define CONSOLE_NOTIFY_H

/* Send "READY=1", "STOPPING=1" ... to $NOTIFY_SOCKET. Without one nothing happens. */
void notify_manager(const char *state);

#endif

/* number.h - numbers as short as a column needs them. */
#ifndef UI_NUMBER_H
#define UI_NUMBER_H

#include <stdint.h>

#define NUMBER_TEXT_MAX 32

/* "981", "18.4k", "1.2M": at most five characters up to 999 999 999 999. Returns `text`. */
char *number_short(double value, char text[NUMBER_TEXT_MAX]);

/* "1.2", "981", "14 902": digits in threes; one decimal below 10. Returns `text`. */
char *number_rate(double value, char text[NUMBER_TEXT_MAX]);

/* "4 410 552". Returns `text`. */
char *number_grouped(uint64_t value, char text[NUMBER_TEXT_MAX]);

/* "182.0", "30 m"; "?" when it is negative: unknown. Seconds up to 999.9. Returns `text`. */
char *number_seconds(double seconds, char text[NUMBER_TEXT_MAX]);

/* "4 s", "12 m", "3 h", "2 d": how long ago, in one unit. Returns `text`. */
char *number_age(int64_t age_ns, char text[NUMBER_TEXT_MAX]);

#endif

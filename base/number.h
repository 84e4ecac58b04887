/* What the files of base/ share about numbers; not for other layers. */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include "base/value.h"

#define BASE_NUMBER_DIGITS_MAX 18      /* of a decimal's coefficient */
#define BASE_NUMBER_EXPONENT_MIN (-36) /* the last place a decimal can hold */
#define BASE_NUMBER_PLACES_MAX                                                                     \
    36 /* digits a decimal can have before the point: it is less than 10^36 */
#define BASE_NUMBER_PRINT_SIZE 48

/* The JSON text of an integer or decimal; gives its size. */
size_t base_number_print(const base_value *number, char buffer[BASE_NUMBER_PRINT_SIZE]);

/* Is the value a decimal that this layer would make: normalised and in range? For readers of
 * foreign bytes. */
bool base_decimal_check(int64_t coefficient, int64_t exponent);

/* 10^power for 0 <= power <= 19. */
uint64_t base_power_of_ten(int power);
/* Decimal digits of a number; 0 has none. */
int base_digit_count(uint64_t number);

#endif

#include "http/byte.h"

#define T BYTE_TOKEN
#define H (BYTE_TOKEN | BYTE_HOST)
#define C BYTE_CONTROL

/* 0x80 and above are 0. */
const unsigned char byte_classes[256] = {
	/* clang-format off */
	C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C,
	C, C, C, C, C, C, C, C, C, C, C, C, C, C, C, C,
	/*  !  "  #  $  %  &  '  (  )  *  +  ,  -  .  / */
	0, T, 0, T, T, T, T, T, 0, 0, T, T, 0, H, H, 0,
	/* 0 to 9  :  ;  <  =  >  ? */
	H, H, H, H, H, H, H, H, H, H, 0, 0, 0, 0, 0, 0,
	/* @ A to O */
	0, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
	/* P to Z  [  \  ]  ^  _ */
	H, H, H, H, H, H, H, H, H, H, H, 0, 0, 0, T, H,
	/* ` a to o */
	T, H, H, H, H, H, H, H, H, H, H, H, H, H, H, H,
	/* p to z  {  |  }  ~ DEL */
	H, H, H, H, H, H, H, H, H, H, H, 0, T, 0, H, C,
	/* clang-format on */
};

int
byte_hex(char c)
{
	if (byte_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

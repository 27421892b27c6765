#include "helper.h"

#include <openssl/evp.h>

#include "base/text.h"
#include "client/digest.h"

static bool has_no_memory;

int __real_EVP_DigestInit_ex2(EVP_MD_CTX *, const EVP_MD *, const OSSL_PARAM *);
int __wrap_EVP_DigestInit_ex2(EVP_MD_CTX *, const EVP_MD *, const OSSL_PARAM *);

int
__wrap_EVP_DigestInit_ex2(
    EVP_MD_CTX *ctx, const EVP_MD *md, const OSSL_PARAM *params)
{
	if (!has_no_memory)
		return __real_EVP_DigestInit_ex2(ctx, md, params);
	(void)EVP_MD_CTX_reset(ctx);
	return 0;
}

static void
test_known_digests(void **state)
{
	static const struct {
		int line;
		enum digest_kind kind;
		const char *in, *hex;
	} rows[] = {
		{ __LINE__, DIGEST_MD5, "",
		    "d41d8cd98f00b204e9800998ecf8427e" },
		{ __LINE__, DIGEST_MD5, "abc",
		    "900150983cd24fb0d6963f7d28e17f72" },
		{ __LINE__, DIGEST_SHA256, "",
		    "e3b0c44298fc1c149afbf4c8996fb924"
		    "27ae41e4649b934ca495991b7852b855" },
		{ __LINE__, DIGEST_SHA256, "abc",
		    "ba7816bf8f01cfea414140de5dae2223"
		    "b00361a396177a9cb410ff61f20015ad" },
	};
	char hex[2 * DIGEST_MAX + 1];
	unsigned char sum[DIGEST_MAX];

	(void)state;
	for (size_t i = 0; i < nitems(rows); i++) {
		struct digest *d = digest_new(rows[i].kind);
		int len;

		assert_non_null(d);
		digest_add(d, "what is begun anew", 18);
		digest_begin(d);
		for (const char *p = rows[i].in; *p != '\0'; p++)
			digest_add(d, p, 1);
		len = digest_end(d, sum);
		CHECK_INT(rows[i].line, rows[i].in, "length",
		    strlen(rows[i].hex) / 2, len);
		text_hex(hex, sum, (size_t)len);
		assert_string_equal(hex, rows[i].hex);
		digest_free(d);
	}
}

/* What could not be begun is fed all the same, and has no digest. */
static void
test_no_memory(void **state)
{
	static const unsigned char zeros[DIGEST_MAX];
	unsigned char sum[DIGEST_MAX] = { 1 };
	struct digest *d;

	(void)state;
	has_no_memory = true;
	assert_null(digest_new(DIGEST_SHA256));
	has_no_memory = false;
	d = digest_new(DIGEST_SHA256);
	assert_non_null(d);
	has_no_memory = true;
	digest_begin(d);
	has_no_memory = false;
	digest_add(d, "abc", 3);
	assert_int_equal(digest_end(d, sum), -1);
	assert_memory_equal(sum, zeros, sizeof(zeros));
	digest_begin(d);
	digest_add(d, "abc", 3);
	assert_int_equal(digest_end(d, sum), 32);
	digest_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_digests),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

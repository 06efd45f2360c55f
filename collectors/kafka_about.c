#include "collectors/kafka_about.h"

#include <string.h>

#include <librdkafka/rdkafka.h>

#include "base/bytes.h"
#include "collectors/kafka_conf.h"

/* Words of the library's builtin.features. */
static const struct feature {
    const char *word;
    const char *name;
    const char *loss; /* NULL: named where it is there, and nothing where it is not */
} features[] = {
    {"ssl", "TLS", "no broker that wants TLS can be read"},
    {"sasl_plain", "PLAIN", "no login by PLAIN"},
    {"sasl_scram", "SCRAM", "no login by SCRAM"},
    {"sasl_oauthbearer", "OAUTHBEARER", "no login by OAUTHBEARER"},
    {"sasl_gssapi", "GSSAPI", "no login by GSSAPI (Kerberos)"},
    {"gzip", "gzip", "no events that gzip compressed can be read"},
    {"lz4", "LZ4", NULL}, /* has its own where there is none */
    {"zstd", "zstd", "no events that zstd compressed can be read"},
};

/* What is so before a version; 0: of all. */
static const struct limit {
    int before;
    const char *text;
    const char *fix;
} limits[] = {
    {KAFKA_ABOUT_SCRAM, "a login by SCRAM fails at Kafka 4", "use librdkafka 2.6.1 or later"},
    {KAFKA_ABOUT_MEMBERS,
        "the members of groups of the new protocol (KIP-848) are not seen: their lag is, who reads "
        "is not",
        "use librdkafka 2.10 or later"},
    {0, "share groups (KIP-932) are not seen: they commit no offsets", ""},
    {0,
        "an offset without an event may be compacted, aborted or a mark of a transaction: it does "
        "not tell which",
        "tapedeck tape holes --explain reads such a range once more"},
};

/* Is the word in a list with commas? */
static bool
has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; *at != '\0';) {
        size_t span = strcspn(at, ",");
        if (span == length && strncmp(at, word, length) == 0)
            return true;
        at += span + (at[span] == ',' ? 1 : 0);
    }
    return false;
}

static void
tell(source_about_report *report, void *self, bool is_limit, const char *text, const char *fix)
{
    const struct source_about about = {
        .scheme = "kafka", .is_limit = is_limit, .text = text, .fix = fix};
    report(self, &about);
}

static void
read_features(char *list, size_t size)
{
    rd_kafka_conf_t *conf = kafka_conf_new();
    if (rd_kafka_conf_get(conf, "builtin.features", list, &size) != RD_KAFKA_CONF_OK)
        list[0] = '\0';
    rd_kafka_conf_destroy(conf);
}

void
kafka_about(source_about_report *report, void *self)
{
    const size_t count = sizeof(features) / sizeof(features[0]);
    char list[512];
    struct buffer text = {0};
    const char *between = " with ";
    read_features(list, sizeof(list));
    buffer_printf(&text, "librdkafka %s", rd_kafka_version_str());
    for (size_t i = 0; i < count; i++) {
        if (has_word(list, features[i].word)) {
            buffer_printf(&text, "%s%s", between, features[i].name);
            between = ", ";
        }
    }
    tell(report, self, false, buffer_text(&text), "");
    buffer_done(&text);

    for (size_t i = 0; i < count; i++)
        if (features[i].loss != NULL && !has_word(list, features[i].word))
            tell(report, self, true, features[i].loss, "use a librdkafka that was built with it");
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        if (limits[i].before == 0 || rd_kafka_version() < limits[i].before)
            tell(report, self, true, limits[i].text, limits[i].fix);
}

#include "collectors/kafka_reason.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "collectors/kafka_about.h"

/* One cause: when librdkafka's sentence has `sign` in it. */
struct cause {
    const char *sign;
    enum error_code code;
    enum kafka_step step;
    const char *what; /* NULL: librdkafka's own words */
    const char *fix;
};

#define CREDENTIALS "check kafka.sasl.username and kafka.sasl.password"

/* The first one that fits counts. */
static const struct cause causes[] = {
    {"Failed to resolve", ERROR_REMOTE, KAFKA_STEP_RESOLVE, NULL,
        "check the spelling and this machine's name server"},
    {"Connection refused", ERROR_REMOTE, KAFKA_STEP_CONNECT, "connection refused",
        "is the broker running, and is this its port?"},
    {"No route to host", ERROR_REMOTE, KAFKA_STEP_CONNECT, "no route to host",
        "check the network and the firewalls between"},
    {"Network is unreachable", ERROR_REMOTE, KAFKA_STEP_CONNECT, "the network is unreachable",
        "check the network and the firewalls between"},
    {"in state CONNECT", ERROR_REMOTE, KAFKA_STEP_CONNECT, NULL,
        "check the address, and the firewalls between"},
    {"Invalid response size 1213486160", ERROR_REMOTE, KAFKA_STEP_ANSWER,
        "an HTTP server answers there, not a broker", "is it the right port?"},
    {"alert certificate required", ERROR_REFUSED, KAFKA_STEP_TLS,
        "the broker wants a client certificate",
        "set kafka.ssl.certificate.location and kafka.ssl.key.location"},
    /* Some brokers say this when there is none, too. */
    {"alert bad certificate", ERROR_REFUSED, KAFKA_STEP_TLS,
        "the broker wants a client certificate that it trusts",
        "set kafka.ssl.certificate.location and kafka.ssl.key.location to one"},
    {"alert certificate expired", ERROR_REFUSED, KAFKA_STEP_TLS,
        "our client certificate is out of date", "renew the one in kafka.ssl.certificate.location"},
    {"alert unknown ca", ERROR_REFUSED, KAFKA_STEP_TLS,
        "the broker does not trust who signed our client certificate",
        "set kafka.ssl.certificate.location to one that it trusts"},
    {"alert certificate unknown", ERROR_REFUSED, KAFKA_STEP_TLS,
        "the broker does not take our client certificate",
        "set kafka.ssl.certificate.location to one that it trusts and that is not out of date"},
    {"connecting to a SSL listener", ERROR_REMOTE, KAFKA_STEP_TLS,
        "it hangs up before an answer, as one that wants TLS does",
        "if it wants TLS, set kafka.security.protocol to SSL or SASL_SSL"},
    {"routines::unexpected eof", ERROR_REMOTE, KAFKA_STEP_TLS, "it hangs up when we begin TLS",
        "if this port has no TLS, set kafka.security.protocol to PLAINTEXT or SASL_PLAINTEXT"},
    {"routines::wrong version number", ERROR_REMOTE, KAFKA_STEP_TLS, "no TLS is spoken there",
        "is it the right port? Without TLS kafka.security.protocol is PLAINTEXT or SASL_PLAINTEXT"},
    {"require SASL authentication", ERROR_REMOTE, KAFKA_STEP_LOGIN,
        "it hangs up, as one that wants a login does",
        "if it wants one, set kafka.security.protocol to SASL_SSL or SASL_PLAINTEXT and "
        "kafka.sasl.mechanism"},
    {"Unsupported SASL mechanism", ERROR_REFUSED, KAFKA_STEP_LOGIN, NULL,
        "set kafka.sasl.mechanism to one of those"},
    {"not valid in current SASL state", ERROR_REFUSED, KAFKA_STEP_LOGIN,
        "this port of the broker takes no login",
        "set kafka.security.protocol to SSL or PLAINTEXT, or take the port that has one"},
    {"acquire SASL OAUTHBEARER token", ERROR_REFUSED, KAFKA_STEP_LOGIN, NULL,
        "check kafka.sasl.oauthbearer.config"},
    {"OAUTHBEARER", ERROR_REFUSED, KAFKA_STEP_LOGIN, NULL,
        "check what kafka.sasl.oauthbearer.config makes the token of"},
    {"mechanism SCRAM", ERROR_REFUSED, KAFKA_STEP_LOGIN, "the user or the password is wrong",
        CREDENTIALS},
    {"Invalid username or password", ERROR_REFUSED, KAFKA_STEP_LOGIN,
        "the user or the password is wrong", CREDENTIALS},
    {"SSL handshake failed", ERROR_REMOTE, KAFKA_STEP_TLS, NULL,
        "check the kafka.ssl. properties and that the port speaks TLS"},
    {"in state SSL_HANDSHAKE", ERROR_REMOTE, KAFKA_STEP_TLS, NULL, ""},
    {"in state AUTH", ERROR_REMOTE, KAFKA_STEP_LOGIN, NULL, ""},
};

/* Why OpenSSL refuses a broker's certificate, by X509_V_ERR_... */
static const struct {
    int number;
    const char *what;
    const char *fix;
} certificate_causes[] = {
    {9, "the broker's certificate is not valid yet", "check the clocks of both machines"},
    {10, "the broker's certificate has expired",
        "the broker's owner must renew it; if it is new, check this machine's clock"},
    {18, "the broker's certificate is signed by itself and not trusted",
        "put it into the file of kafka.ssl.ca.location"},
    {19, "the broker's certificate comes from an authority that is not trusted",
        "set kafka.ssl.ca.location to the file with the authority's certificate"},
    {20, "the broker's certificate comes from an authority that is not trusted",
        "set kafka.ssl.ca.location to the file with the authority's certificate"},
    {21, "the broker's certificate comes from an authority that is not trusted",
        "set kafka.ssl.ca.location to the file with the authority's certificate"},
    {23, "the broker's certificate has been revoked", "the broker's owner must renew it"},
    {62, "the broker's certificate is for another host name",
        "use the name that the certificate has in the URL"},
    {64, "the broker's certificate is for another address",
        "use the name that the certificate has in the URL"},
};

/* Copy the sentence without the parts that are librdkafka's own: "HOST:PORT/1: Connect to
 * ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in state CONNECT)" is "connection refused"
 * beside the address that we name. */
static void
copy_what(struct kafka_reason *reason, const char *text)
{
    const char *begin = text;
    size_t name = strcspn(text, " "); /* "HOST:PORT/bootstrap:", "sasl_ssl://HOST:PORT/3:" */
    if (name > 1 && text[name] == ' ' && text[name - 1] == ':' && memchr(text, '/', name) != NULL)
        begin = text + name + 1;
    const char *failed = strstr(begin, " failed: ");
    if (strncmp(begin, "Connect to ", 11) == 0 && failed != NULL)
        begin = failed + strlen(" failed: ");
    const char *end = strstr(begin, " (after ");
    size_t length = end != NULL ? (size_t)(end - begin) : strlen(begin);
    if (length >= sizeof(reason->what))
        length = sizeof(reason->what) - 1;
    memcpy(reason->what, begin, length);
    reason->what[length] = '\0';
    if (isupper((unsigned char)reason->what[0]) && !isupper((unsigned char)reason->what[1]))
        reason->what[0] = (char)tolower((unsigned char)reason->what[0]);
}

static void
take(struct kafka_reason *reason, const char *what, const char *fix)
{
    if (what != NULL)
        (void)snprintf(reason->what, sizeof(reason->what), "%s", what);
    (void)snprintf(reason->fix, sizeof(reason->fix), "%s", fix);
}

static void
read_certificate(struct kafka_reason *reason, int number)
{
    reason->code = ERROR_REFUSED;
    reason->step = KAFKA_STEP_TLS;
    for (size_t i = 0; i < sizeof(certificate_causes) / sizeof(certificate_causes[0]); i++) {
        if (certificate_causes[i].number == number) {
            take(reason, certificate_causes[i].what, certificate_causes[i].fix);
            return;
        }
    }
    take(reason, "the broker's certificate could not be verified",
        "check kafka.ssl.ca.location and the broker's certificate");
}

void
kafka_reason_read(
    struct kafka_reason *reason, const char *text, bool is_login, int certificate_error)
{
    *reason = (struct kafka_reason){.code = ERROR_REMOTE, .step = KAFKA_STEP_ANSWER};
    copy_what(reason, text);
    if (strstr(text, "certificate verify failed") != NULL) {
        read_certificate(reason, certificate_error);
        return;
    }
    for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++) {
        const struct cause *cause = &causes[i];
        if (strstr(text, cause->sign) == NULL)
            continue;
        reason->code = cause->code;
        reason->step = cause->step;
        take(reason, cause->what, cause->fix);
        break;
    }
    if (is_login) {
        reason->code = ERROR_REFUSED;
        reason->step = KAFKA_STEP_LOGIN;
        if (reason->fix[0] == '\0')
            take(reason, NULL, CREDENTIALS);
    }
    if (reason->step == KAFKA_STEP_LOGIN && strstr(text, "mechanism SCRAM") != NULL &&
        rd_kafka_version() < KAFKA_ABOUT_SCRAM)
        (void)snprintf(reason->fix, sizeof(reason->fix),
            CREDENTIALS "; at Kafka 4 SCRAM needs librdkafka 2.6.1, here is %s",
            rd_kafka_version_str());
}

/* What OpenSSL says about a file behind "PROPERTY failed: ". */
static const struct {
    const char *sign;
    const char *what;
    const char *fix;
} file_causes[] = {
    {"::system lib", "the file cannot be read", "is it there, and may this user read it?"},
    {"::no certificate or crl found", "there is no certificate in the file",
        "it must have one as text, with BEGIN CERTIFICATE"},
    {"::no start line", "there is neither a certificate nor a key in the file",
        "it must have one as text, with BEGIN"},
    {"::key values mismatch", "the key is not that of the certificate",
        "set kafka.ssl.certificate.location and kafka.ssl.key.location to a pair"},
    {"::PEM lib", "the file cannot be understood",
        "is it PEM? If the key has a password, set kafka.ssl.key.password to it"},
};

/* What a login lacks. */
static const struct cause setup_causes[] = {
    {"sasl.username and sasl.password must be set", ERROR_CONFIG, KAFKA_STEP_LOGIN,
        "a login needs a user and a password", "set kafka.sasl.username and kafka.sasl.password"},
    {"SASL mechanism GSSAPI", ERROR_CONFIG, KAFKA_STEP_LOGIN,
        "Kerberos, the login unless another one is named, is not in this librdkafka",
        "set kafka.sasl.mechanism, like SCRAM-SHA-512, or use a librdkafka that was built with it"},
    {"sasl.kerberos.", ERROR_CONFIG, KAFKA_STEP_LOGIN,
        "Kerberos, the login unless another one is named, is not set up",
        "set kafka.sasl.mechanism, like SCRAM-SHA-512, or kafka.sasl.kerberos.keytab"},
};

void
kafka_reason_read_setup(struct kafka_reason *reason, const char *why)
{
    *reason = (struct kafka_reason){.code = ERROR_CONFIG, .step = KAFKA_STEP_RESOLVE};
    (void)snprintf(reason->what, sizeof(reason->what), "cannot make a kafka client: %s", why);
    (void)snprintf(
        reason->fix, sizeof(reason->fix), "%s", "correct the property, or the file that it names");
    for (size_t i = 0; i < sizeof(setup_causes) / sizeof(setup_causes[0]); i++)
        if (strstr(why, setup_causes[i].sign) != NULL)
            take(reason, setup_causes[i].what, setup_causes[i].fix);
    const char *end = strstr(why, " failed: ");
    for (size_t i = 0; end != NULL && i < sizeof(file_causes) / sizeof(file_causes[0]); i++) {
        if (strstr(end, file_causes[i].sign) == NULL)
            continue;
        take(reason, NULL, file_causes[i].fix);
        (void)snprintf(reason->what, sizeof(reason->what), "kafka.%.*s: %s", (int)(end - why), why,
            file_causes[i].what);
        break;
    }
}

void
kafka_reason_say(const struct kafka_reason *reason, const char *address, struct error *err)
{
    error_set(err, reason->code, "%s kafka at %s: %s%s%s",
        reason->code == ERROR_REFUSED ? "no access to" : "cannot reach", address, reason->what,
        reason->fix[0] == '\0' ? "" : "; ", reason->fix);
}

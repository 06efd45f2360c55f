#include "collectors/kafka_conf.h"

#include "base/error.h"
#include "collectors/recorder.h"

static void
log_nothing(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    (void)client;
    (void)level;
    (void)facility;
    (void)text;
}

rd_kafka_conf_t *
kafka_conf_new(void)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, log_nothing);
    return conf;
}

bool
kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct error *err)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
        return true;
    return error_set(err, ERROR_CONFIG, "kafka property '%s': %s", name, why);
}

bool
kafka_conf_set_all(rd_kafka_conf_t *conf, const struct recorder_property *properties, size_t count,
    struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (!kafka_conf_set(conf, properties[i].name, properties[i].value, err))
            return false;
    return true;
}

rd_kafka_t *
kafka_conf_client(rd_kafka_conf_t **conf, rd_kafka_type_t type, struct error *err)
{
    char why[256];
    rd_kafka_t *client = rd_kafka_new(type, *conf, why, sizeof(why));
    if (client == NULL) {
        rd_kafka_conf_destroy(*conf);
        (void)error_set(err, ERROR_CONFIG, "cannot make a kafka client: %s", why);
    }
    *conf = NULL;
    return client;
}

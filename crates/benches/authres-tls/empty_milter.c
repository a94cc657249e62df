/* A milter of Sendmail's libmilter that negotiates the steps of `authres milter` and changes nothing.
 *
 * usage: empty_milter SOCKET */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <libmilter/mfapi.h>

static sfsistat connected(SMFICTX *context, char *host, _SOCK_ADDR *address) {
    (void)context, (void)host, (void)address;
    return SMFIS_NOREPLY;
}

static sfsistat greeted(SMFICTX *context, char *name) {
    (void)context, (void)name;
    return SMFIS_NOREPLY;
}

static sfsistat sender(SMFICTX *context, char **arguments) {
    (void)context, (void)arguments;
    return SMFIS_NOREPLY;
}

static sfsistat field(SMFICTX *context, char *name, char *value) {
    (void)context, (void)name, (void)value;
    return SMFIS_NOREPLY;
}

static sfsistat ended(SMFICTX *context) {
    (void)context;
    return SMFIS_ACCEPT;
}

/* Declines the steps and the replies that `authres milter` declines. */
static sfsistat negotiate(SMFICTX *context, unsigned long actions, unsigned long steps, unsigned long f2,
                          unsigned long f3, unsigned long *asked_actions, unsigned long *asked_steps,
                          unsigned long *pf2, unsigned long *pf3) {
    (void)context, (void)f2, (void)f3;
    *asked_actions = actions & (SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_SETSYMLIST);
    *asked_steps = steps & (SMFIP_NORCPT | SMFIP_NOBODY | SMFIP_NOEOH | SMFIP_NOUNKNOWN | SMFIP_NODATA | SMFIP_NR_CONN |
                            SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_HDR_LEADSPC);
    *pf2 = *pf3 = 0;
    return SMFIS_CONTINUE;
}

int main(int count, char **arguments) {
    struct smfiDesc filter;
    memset(&filter, 0, sizeof filter);
    filter.xxfi_name = "empty";
    filter.xxfi_version = SMFI_VERSION;
    filter.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_SETSYMLIST;
    filter.xxfi_connect = connected;
    filter.xxfi_helo = greeted;
    filter.xxfi_envfrom = sender;
    filter.xxfi_header = field;
    filter.xxfi_eom = ended;
    filter.xxfi_negotiate = negotiate;
    umask(0);
    if (count != 2 || smfi_setconn(arguments[1]) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS) {
        return EXIT_FAILURE;
    }
    return smfi_main();
}

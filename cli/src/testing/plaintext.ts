import { loadConfig, openSecurity, securitySettings } from "@rhone/common";

/** Without TLS and without a secret. */
export const PLAINTEXT = openSecurity(loadConfig(securitySettings, { RHONE_ALLOW_PLAINTEXT: "true" }, []));

import { loadConfig } from "../config/load-config.js";
import { openSecurity } from "../security/security.js";
import { securitySettings } from "../security/security-settings.js";

/** Without TLS and without a secret. */
export const PLAINTEXT = openSecurity(loadConfig(securitySettings, { RHONE_ALLOW_PLAINTEXT: "true" }, []));

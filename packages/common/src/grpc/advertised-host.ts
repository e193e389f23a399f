import { isEveryInterface } from "../config/host-address.js";
import type { Logger } from "../observability/logger.js";

export interface HostSettings {
  readonly host: string;
  readonly advertiseHost?: string | undefined;
}

/**
 * The host name that others are told for this process's ports: `advertiseHost`, else `host`. Every interface is a place
 * to listen, not one to connect to: on another machine it is that machine itself, so it is warned of.
 */
export function advertisedHost({ host, advertiseHost = host }: HostSettings, logger: Logger): string {
  if (isEveryInterface(advertiseHost)) {
    logger.warn({ advertised: advertiseHost }, "other machines can't reach this address: set --advertise-host");
  }
  return advertiseHost;
}

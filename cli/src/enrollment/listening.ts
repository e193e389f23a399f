import type { ListenPlace } from "./own-address.js";

/** The files of an identity. */
export interface IdentityPaths {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** The keys that are believed no longer; one file for all identities of a machine. */
  readonly revoked: string;
}

/** What the processes of a cluster get that other machines may join. */
export interface Listening {
  readonly place: ListenPlace;
  /** Where other machines join; 0 = any free port. */
  readonly port: number;
  readonly coordinator: IdentityPaths;
  readonly gateway: IdentityPaths;
  readonly workers: readonly IdentityPaths[];
}

/**
 * The ports that other machines connect to, by the port where they join: 7100 -> 7101 for the private Redis, 7110 for
 * the first coordinator, up to 7119 for the tenth, 7120 and up for this machine's workers. 0 = any free ones.
 */
export const redisPort = (doorPort: number): number => (doorPort === 0 ? 0 : doorPort + 1);
export const coordinatorPort = (doorPort: number, index: number): number =>
  doorPort === 0 || index > 9 ? 0 : doorPort + 10 + index;
export const workerPort = (doorPort: number, index: number): number => (doorPort === 0 ? 0 : doorPort + 20 + index);

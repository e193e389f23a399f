import { hostname } from "node:os";
import { hostPort, makeFolder, type Places } from "@rhone/common";
import {
  Authority,
  EnrollmentServer,
  formatToken,
  type IdentityFiles,
  identityFiles,
  type Log,
  Renewal,
  type Role,
  readIdentity,
  writeRevoked,
} from "@rhone/identity";
import type { DataDir } from "../data-dir.js";
import { announceDoor } from "./discover.js";
import { joinCommand } from "./join-command.js";
import { type ListenPlace, listenPlace, whyOutOfReach } from "./own-address.js";

export interface DoorOptions {
  readonly dataDir: DataDir;
  /** As `listenPlace` reads it. */
  readonly listen: string | true;
  readonly port: number;
  /** What machines are told that join or renew their certificates. */
  readonly places: () => Promise<Places>;
  readonly logger: Log;
}

/** The token that a cluster prints as it starts. */
const INVITED = { uses: 10, ttlMs: 30 * 60_000 } as const;

/** Where a cluster of this machine admits others: the authority, its server, the identities of its own processes. */
export class Door {
  readonly place: ListenPlace;
  /** host:port for joiners. */
  readonly address: string;
  readonly #options: DoorOptions;
  readonly #authority: Authority;
  readonly #server: EnrollmentServer;
  readonly #renewals: Renewal[] = [];
  readonly #silence: () => void;

  private constructor(
    options: DoorOptions,
    place: ListenPlace,
    parts: { readonly authority: Authority; readonly server: EnrollmentServer },
  ) {
    this.#options = options;
    this.place = place;
    this.#authority = parts.authority;
    this.#server = parts.server;
    this.address = hostPort(place.advertise, parts.server.port);
    this.#silence = announceDoor({
      name: hostName(),
      address: this.address,
      cluster: parts.authority.cluster,
      onSilent: (why) => options.logger.warn({ why }, "machines can't find this cluster by themselves"),
    });
  }

  /** Throws PORT_IN_USE, INVALID_CONFIG. */
  static async open(options: DoorOptions): Promise<Door> {
    const { dataDir, listen, port, places, logger } = options;
    const place = await listenPlace(listen);
    const authority = await Authority.open(dataDir.authority);
    await makeFolder(dataDir.identity, 0o700);
    await writeRevoked(dataDir.revoked, await authority.members.revoked());
    const server = await EnrollmentServer.open({
      authority,
      host: place.bind,
      port,
      places,
      probe: whyOutOfReach,
      logger,
    });
    return new Door(options, place, { authority, server });
  }

  /** The identity of a process of this machine, which is renewed until `close`. */
  async identity(role: Role, suffix = ""): Promise<IdentityFiles> {
    const { dataDir, logger } = this.#options;
    const name = `${hostName()}${suffix}`;
    const files = identityFiles(dataDir.identity, role, name);
    const issue = () => this.#authority.issueHere(files, { role, name, hosts: [this.place.advertise] });
    await issue();
    this.#renewals.push(new Renewal({ read: () => readIdentity(files), renew: issue, logger }));
    return files;
  }

  /** A new token, as the command that joins by it. */
  async invite(): Promise<{ readonly command: string; readonly admits: string }> {
    const { token, secret } = await this.#authority.tokens.create({ role: "worker", ...INVITED });
    const text = formatToken({ authority: this.#authority.hash, id: token.id, secret });
    const admits = `token ${token.id}: ${INVITED.uses} machines within ${INVITED.ttlMs / 60_000} minutes`;
    return { command: joinCommand(this.address, text), admits };
  }

  async close(): Promise<void> {
    this.#silence();
    for (const renewal of this.#renewals) renewal.close();
    await this.#server.close();
  }
}

/** This machine's host name as a member's name. */
export function hostName(host = hostname()): string {
  const letters = host.toLowerCase().replaceAll(/[^a-z0-9.-]+/g, "-");
  const stem = letters.slice(0, 50).replaceAll(/^[.-]+|[.-]+$/g, "");
  return stem === "" ? "machine" : stem;
}

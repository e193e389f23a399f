import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Role } from "../security/peer.js";
import type { SecurityConfig } from "../security/security-settings.js";
import { der, extension, name, oid, pem, sequence, time } from "./der.js";

export interface TestLeaf {
  readonly role: Role;
  readonly name: string;
  /** Trust domain; the authority's when absent. */
  readonly cluster?: string;
  /** Until it expires; a negative one has expired. 1 when absent. */
  readonly days?: number;
}

const DAY_MS = 24 * 3600 * 1000;
const ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const CA_EXTENSIONS = [
  extension("2.5.29.19", sequence(der(0x01, Buffer.of(255)))), // may issue certificates
  extension("2.5.29.15", der(0x03, Buffer.of(1, 0x06))),
];
const USAGES = extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.1"), oid("1.3.6.1.5.5.7.3.2")));

/** A cluster's authority and the certificates that it issues, as files in a folder of its own. */
export class TestAuthority {
  readonly cluster: string;
  readonly folder = mkdtempSync(join(tmpdir(), "rhone-authority-"));
  readonly #key: KeyObject;
  /** Its own, as two authorities of one name are told apart only by a failing signature. */
  readonly #name = name(`authority ${randomBytes(8).toString("hex")}`);
  readonly #ca: string;

  constructor(cluster = "rhone-test") {
    this.cluster = cluster;
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    this.#key = privateKey;
    this.#ca = this.#certificate({ subject: this.#name, publicKey, days: 10, extensions: CA_EXTENSIONS });
    writeFileSync(join(this.folder, "ca.pem"), this.#ca);
  }

  /** Writes a new key and certificate, which replace an earlier pair of the same role and name. */
  issue({ role, name: own, cluster = this.cluster, days = 1 }: TestLeaf): SecurityConfig {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const folder = join(this.folder, `${role}-${own}`);
    mkdirSync(folder, { recursive: true });
    const names = [der(0x86, Buffer.from(`spiffe://${cluster}/${role}/${own}`)), der(0x82, Buffer.from("localhost"))];
    const extensions = [extension("2.5.29.17", sequence(...names)), USAGES];
    const cert = this.#certificate({ subject: name(own), publicKey, days, extensions });
    writeFileSync(join(folder, "cert.pem"), cert);
    writeFileSync(join(folder, "key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    return {
      tlsCa: join(this.folder, "ca.pem"),
      tlsCert: join(folder, "cert.pem"),
      tlsKey: join(folder, "key.pem"),
      tlsRevoked: undefined,
      clusterSecretFile: undefined,
      allowPlaintext: false,
    };
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #certificate(about: {
    readonly subject: Buffer;
    readonly publicKey: KeyObject;
    readonly days: number;
    readonly extensions: readonly Buffer[];
  }): string {
    const expiresAt = Date.now() + about.days * DAY_MS;
    const body = sequence(
      der(0xa0, der(0x02, Buffer.of(2))), // version 3
      der(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
      ECDSA_SHA256,
      this.#name,
      sequence(time(Math.min(Date.now(), expiresAt) - DAY_MS), time(expiresAt)),
      about.subject,
      about.publicKey.export({ type: "spki", format: "der" }),
      der(0xa3, sequence(...about.extensions)),
    );
    const signature = der(0x03, Buffer.concat([Buffer.of(0), sign("sha256", body, this.#key)]));
    return pem("CERTIFICATE", sequence(body, ECDSA_SHA256, signature));
  }
}

import "reflect-metadata"; // for the library's own dependency
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  webcrypto,
} from "node:crypto";
import { isIP } from "node:net";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  Pkcs10CertificateRequest,
  Pkcs10CertificateRequestGenerator,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { RhoneError } from "@rhone/common";

const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const SUBJECT_KEY_ID = "2.5.29.14";
const SUBJECT_ALT_NAME = "2.5.29.17";
const SERVER_AND_CLIENT = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"];
/** Certificates are valid from a little earlier: the clocks of machines differ. */
const CLOCKS_DIFFER_MS = 3_600_000;
/** Characters of a request for a certificate; one has about 450. */
const LONGEST_REQUEST = 4096;

/** A key pair's certificate and private key, as PEM. */
export interface Credential {
  readonly certificate: string;
  readonly key: string;
}

/** A new private key, as PEM. */
export function newKey(): string {
  return generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
    type: "pkcs8",
    format: "pem",
  }) as string;
}

/** The public key (SubjectPublicKeyInfo, DER) that belongs to a private one. */
export function publicKeyOf(keyPem: string): Buffer {
  return createPublicKey(keyPem).export({ type: "spki", format: "der" });
}

/** SHA-256 of a public key, hex. */
export const keyHash = (publicKey: Uint8Array): string => createHash("sha256").update(publicKey).digest("hex");

/** The key and self-signed certificate of a cluster's own CA, which signs leaves only. */
export async function newAuthorityCredential(nowMs: number, lifeMs: number): Promise<Credential> {
  const key = newKey();
  const publicKey = publicKeyOf(key);
  const subject = new Name([{ CN: [`Rhone cluster ${keyHash(publicKey).slice(0, 16)}`] }]);
  const certificate = await sign({
    subject,
    issuer: subject,
    publicKey,
    signingKey: key,
    signerId: keyId(publicKey),
    validity: { nowMs, lifeMs },
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  return { certificate, key };
}

export interface LeafOrder {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** For people; the URI counts. */
  readonly commonName: string;
  readonly uri: string;
  /** Host names and addresses of the owner. */
  readonly hosts: readonly string[];
  readonly nowMs: number;
  readonly lifeMs: number;
}

/** A certificate for a server and client, signed by the authority, as PEM. */
export async function issueLeaf(authority: Credential, order: LeafOrder): Promise<string> {
  const { publicKey, commonName, uri, hosts, nowMs, lifeMs } = order;
  const issuer = new X509Certificate(authority.certificate);
  const alternatives = hosts.map((host) => {
    const value = host.replace(/%.*$/, ""); // the interface of a link-local address: a name of this machine
    return { type: isIP(value) === 0 ? ("dns" as const) : ("ip" as const), value };
  });
  return sign({
    subject: new Name([{ CN: [commonName] }]),
    issuer: issuer.subjectName,
    publicKey,
    signingKey: authority.key,
    signerId: idOf(issuer),
    validity: { nowMs, lifeMs },
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension(SERVER_AND_CLIENT),
      new SubjectAlternativeNameExtension([{ type: "url", value: uri }, ...alternatives]),
    ],
  });
}

interface SignOrder {
  readonly subject: Name;
  readonly issuer: Name;
  readonly publicKey: Uint8Array;
  readonly signingKey: string;
  readonly signerId: string;
  readonly validity: { readonly nowMs: number; readonly lifeMs: number };
  readonly extensions: readonly Extension[];
}

async function sign({ validity: { nowMs, lifeMs }, extensions, ...order }: SignOrder): Promise<string> {
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: `00${randomBytes(16).toString("hex")}`,
      subject: order.subject,
      issuer: order.issuer,
      notBefore: new Date(nowMs - CLOCKS_DIFFER_MS),
      notAfter: new Date(nowMs + lifeMs),
      signingAlgorithm: ECDSA,
      publicKey: order.publicKey,
      signingKey: await importSigningKey(order.signingKey),
      extensions: [
        ...extensions,
        new SubjectKeyIdentifierExtension(keyId(order.publicKey)),
        new AuthorityKeyIdentifierExtension(order.signerId),
      ],
    },
    webcrypto,
  );
  return `${certificate.toString("pem")}\n`;
}

/** What the authority's certificate calls its key: other tools than this one count it otherwise. */
function idOf(authority: X509Certificate): string {
  const named = authority.getExtension(SUBJECT_KEY_ID);
  if (named instanceof SubjectKeyIdentifierExtension) return named.keyId;
  return keyId(new Uint8Array(authority.publicKey.rawData));
}

/** 160 bits that name a key. */
const keyId = (publicKey: Uint8Array): string => keyHash(publicKey).slice(0, 40);

async function importSigningKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(keyPem).export({ type: "pkcs8", format: "der" });
  return webcrypto.subtle.importKey("pkcs8", der, ECDSA, false, ["sign"]);
}

/** A request (PKCS#10, PEM) for a certificate of this key with this URI, signed by the key. */
export async function newRequest(keyPem: string, uri: string): Promise<string> {
  const publicKey = await webcrypto.subtle.importKey("spki", publicKeyOf(keyPem), ECDSA, true, ["verify"]);
  const request = await Pkcs10CertificateRequestGenerator.create(
    {
      name: [{ CN: [uri.slice(uri.lastIndexOf("/") + 1)] }],
      keys: { privateKey: await importSigningKey(keyPem), publicKey },
      signingAlgorithm: ECDSA,
      extensions: [new SubjectAlternativeNameExtension([{ type: "url", value: uri }])],
    },
    webcrypto,
  );
  return request.toString("pem");
}

/** What a request asks for. */
export interface CertificateRequest {
  /** SubjectPublicKeyInfo, DER, of a P-256 key whose owner signed the request. */
  readonly publicKey: Uint8Array;
  readonly uri: string;
}

/** Throws CERTIFICATE_REFUSED for anything but a request with one URI, signed by its own P-256 key. */
export async function readRequest(pem: string): Promise<CertificateRequest> {
  if (pem.length > LONGEST_REQUEST) {
    throw refused(`has ${pem.length} characters; it must have at most ${LONGEST_REQUEST}`);
  }
  const { request, publicKey, uris } = parseRequest(pem);
  if (!isP256(publicKey)) throw refused("must be for an ECDSA key on the curve P-256");
  const isSigned = await request.verify(webcrypto).catch(() => false);
  if (!isSigned) throw refused("is not signed by the key that it is for");
  const [uri] = uris;
  if (uri === undefined || uris.length > 1) throw refused(`names ${uris.length} URIs; it must name 1`);
  return { publicKey, uri };
}

const refused = (problem: string): RhoneError =>
  new RhoneError("CERTIFICATE_REFUSED", `The request for a certificate ${problem}.`);

/** All that is read of it is read here: the library parses each part when it is first asked for. */
function parseRequest(pem: string) {
  try {
    const request = new Pkcs10CertificateRequest(pem);
    const publicKey = new Uint8Array(request.publicKey.rawData);
    const names = request.getExtension(SUBJECT_ALT_NAME);
    const alternatives = names instanceof SubjectAlternativeNameExtension ? names.names.toJSON() : [];
    return { request, publicKey, uris: alternatives.flatMap(({ type, value }) => (type === "url" ? [value] : [])) };
  } catch {
    throw refused("can't be read as PKCS#10");
  }
}

function isP256(publicKey: Uint8Array): boolean {
  try {
    const { asymmetricKeyDetails } = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
    return asymmetricKeyDetails?.namedCurve === "prime256v1";
  } catch {
    return false;
  }
}

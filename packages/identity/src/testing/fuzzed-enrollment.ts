import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import fc from "fast-check";
import { der, extension, name, oid, pem, sequence } from "../../../common/src/testing/der.js";
import { damaged } from "../../../common/src/testing/fuzzed-messages.js";

// What strangers send to an enrollment server: requests for certificates that no tool makes, in bodies that are not
// what they should be.

interface TestKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** Of its signatures. */
  readonly algorithm: Buffer;
  readonly hash: string | null;
}

const withEcdsa = (namedCurve: string): TestKey => ({
  ...generateKeyPairSync("ec", { namedCurve }),
  algorithm: sequence(oid("1.2.840.10045.4.3.2")),
  hash: "sha256",
});

/** Keys of every kind that a request may be for; the first is the right one. */
function newKeys(): readonly TestKey[] {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const ed25519 = generateKeyPairSync("ed25519");
  return [
    ...["prime256v1", "secp384r1", "secp521r1", "secp256k1", "brainpoolP256r1"].map(withEcdsa),
    { ...rsa, algorithm: sequence(oid("1.2.840.113549.1.1.11"), der(0x05)), hash: "sha256" },
    { ...ed25519, algorithm: sequence(oid("1.3.101.112")), hash: null },
  ];
}

const SUBJECT_ALT_NAME = "2.5.29.17";
const EXTENSION_REQUEST = oid("1.2.840.113549.1.9.14");
/** basicConstraints CA:TRUE and keyCertSign, which nobody gets. */
const AS_AUTHORITY = [
  extension("2.5.29.19", sequence(der(0x01, Buffer.of(255)))),
  extension("2.5.29.15", der(0x03, Buffer.of(1, 0x06))),
];

/** Of general names: otherName, email, DNS, X.400, directory, EDI, URI, IP, registered id. */
const NAME_TAGS = [0xa0, 0x81, 0x82, 0xa3, 0xa4, 0xa5, 0x86, 0x87, 0x88] as const;

/** The cluster and the member that an order is for. */
export interface EnrollmentPlace {
  readonly cluster: string;
  readonly token: string;
  readonly secret: string;
}

/** One request to the server. */
export interface EnrollmentAttempt {
  readonly method: string;
  readonly path: string;
  readonly body: Buffer;
  /** Sent without a length, in parts. */
  readonly isChunked: boolean;
}

const oneOf = <T>(usual: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constantFrom(usual, ...others) });

const oddText = fc.oneof(
  fc.constantFrom("", "\0", "a\nb", "URI:spiffe://x/worker/a, URI:spiffe://y/worker/b", "\ufeff", "a".repeat(3000)),
  fc.string({ unit: "binary", maxLength: 40 }),
);

function requests(uri: string, keys: readonly TestKey[]): fc.Arbitrary<Buffer> {
  const right = der(0x86, Buffer.from(uri));
  const otherUri = fc
    .oneof(
      oddText,
      fc.constantFrom(uri.replace("worker", "coordinator"), uri.replace("worker", "authority"), `${uri}x`),
    )
    .map((text) => der(0x86, Buffer.from(text)));
  const anyName = fc
    .tuple(fc.constantFrom(...NAME_TAGS), fc.uint8Array({ maxLength: 20 }))
    .map(([tag, bytes]) => der(tag, Buffer.from(bytes)));
  const alternatives = fc.oneof(
    { weight: 4, arbitrary: fc.constant([right]) },
    { weight: 3, arbitrary: fc.array(fc.oneof(fc.constant(right), otherUri, anyName), { maxLength: 4 }) },
  );
  const parts = fc.record({
    names: alternatives,
    key: oneOf<number>(0, ...keys.keys()),
    signer: oneOf<number | null>(null, ...keys.keys()),
    subject: fc.oneof(oddText.map(name), fc.constantFrom(sequence(), sequence(...Array<Buffer>(150).fill(name("a"))))),
    asks: oneOf<readonly Buffer[]>([], AS_AUTHORITY),
    attributes: oneOf(1, 0, 2),
  });
  return parts.map(({ names, key, signer, subject, asks, attributes }) => {
    const own = keys[key] as TestKey;
    const extensions = sequence(extension(SUBJECT_ALT_NAME, sequence(...names)), ...asks);
    const attribute = sequence(EXTENSION_REQUEST, der(0x31, extensions));
    const spki = own.publicKey.export({ type: "spki", format: "der" });
    const info = sequence(
      der(0x02, Buffer.of(0)),
      subject,
      spki,
      der(0xa0, ...Array<Buffer>(attributes).fill(attribute)),
    );
    const { privateKey, algorithm, hash } = keys[signer ?? key] as TestKey;
    return sequence(info, algorithm, der(0x03, Buffer.of(0), sign(hash, info, privateKey)));
  });
}

const LABEL = "CERTIFICATE REQUEST";

function orders({ cluster, token, secret }: EnrollmentPlace, keys: readonly TestKey[]): fc.Arbitrary<object> {
  const member = fc.record({
    role: oneOf<unknown>("worker", "coordinator", "gateway", "operator", "authority", "", 7, null),
    name: fc.oneof(
      { weight: 6, arbitrary: fc.nat(1e9).map((number) => `m-${number}`) },
      { weight: 1, arbitrary: fc.oneof<fc.Arbitrary<unknown>[]>(oddText, fc.constantFrom("../a", "A", 7, null, {})) },
    ),
  });
  return member.chain(({ role, name: own }) => {
    const made = requests(`spiffe://rhone-${cluster}/worker/${String(own)}`, keys);
    const request = fc.oneof<fc.Arbitrary<unknown>[]>(
      made.map((bytes) => pem(LABEL, bytes)),
      damaged(made).map((bytes) => pem(LABEL, bytes.subarray(0, 4000))),
      damaged(made).map((bytes) => bytes.toString("base64").slice(0, 4000)),
      made.map((bytes) => pem(LABEL, bytes).repeat(2)),
      made.map((bytes) => pem("CERTIFICATE", bytes)),
      fc.constantFrom(pem(LABEL, Buffer.alloc(2900, 0x30)), pem(LABEL, Buffer.from("3080".repeat(1400), "hex"))),
      oddText,
      fc.constantFrom(null, 7, [], {}),
    );
    return fc.record(
      {
        token: oneOf<unknown>(token, "00000000", "../../ca-key", "", "x".repeat(17), 7, null),
        secret: oneOf<unknown>(secret, "x", "x".repeat(65), null, {}),
        role: fc.constant(role),
        name: fc.constant(own),
        request,
        extra: fc.constant({ a: 1 }),
      },
      { requiredKeys: ["token", "secret", "role", "name", "request"] },
    );
  });
}

const PATHS = [
  "/v1/enroll",
  "/v1/renew",
  "/v1/cluster",
  "/",
  "/v1/enroll/",
  "/v1/enroll?x=1",
  "//",
  "/%00",
  "*",
] as const;

/** Attempts by strangers, some of whom have a token. `secret` and `token` must be valid for many workers. */
export function enrollmentAttempts(place: EnrollmentPlace): fc.Arbitrary<EnrollmentAttempt> {
  const json = orders(place, newKeys()).map((order) => JSON.stringify(order));
  const body = fc.oneof(
    { weight: 8, arbitrary: json.map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: damaged(json.map((text) => Buffer.from(text))) },
    { weight: 1, arbitrary: json.map((text) => Buffer.from(`\ufeff${text}`, "utf16le")) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom("", " ", "null", "[]", "7", "[".repeat(16_000), '{"":'.repeat(4000), "x".repeat(17_000))
        .map((text) => Buffer.from(text)),
    },
  );
  return fc.record({
    method: oneOf("POST", "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"),
    path: oneOf<string>(...PATHS),
    body,
    isChunked: fc.boolean(),
  });
}

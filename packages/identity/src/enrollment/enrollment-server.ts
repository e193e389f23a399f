import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import {
  explainRefusal,
  keepToConnections,
  listenOrExplain,
  type Places,
  RhoneError,
  toRhoneError,
} from "@rhone/common";
import type { z } from "zod";
import type { Authority } from "../authority/authority.js";
import { type Log, sparingly } from "../log.js";
import { MEMBER_ROLES, type MemberRole, uriOf, urisOf } from "../member-name.js";
import { type Enrolled, enrollSchema, LARGEST_BODY, PATHS, probeSchema, renewSchema } from "./enrollment-messages.js";

export interface EnrollmentServerOptions {
  readonly authority: Authority;
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** What members are told. */
  readonly places: () => Promise<Places>;
  /** Whether this machine reaches host:port: null, or why not. */
  readonly probe: (address: string) => Promise<string | null>;
  readonly logger: Log;
}

const REQUEST_MS = 10_000;
const HANDSHAKE_MS = 5_000;
/** How often the time of requests is looked at; Node's own 30 s would let them take 40. */
const CHECK_MS = 1000;
/** Strangers' ones among them. */
const MOST_CONNECTIONS = 64;
/** The server's own certificate is replaced this often. */
const OWN_RENEWAL_MS = 24 * 3_600_000;

/**
 * Where machines join a cluster and members renew their certificates: HTTPS with JSON bodies. A stranger learns the CA,
 * and gets a certificate for a token; a member shows its certificate.
 */
export class EnrollmentServer {
  readonly port: number;
  readonly #server: Server;
  readonly #renewal: NodeJS.Timeout;

  private constructor(server: Server, renewal: NodeJS.Timeout) {
    this.#server = server;
    this.#renewal = renewal;
    this.port = (server.address() as AddressInfo).port;
  }

  /** Throws PORT_IN_USE or INVALID_CONFIG. */
  static async open(options: EnrollmentServerOptions): Promise<EnrollmentServer> {
    const { authority, host, port, logger } = options;
    const refused = sparingly(logger);
    const context = async () => {
      const { certificate: cert, key } = await authority.ownCredential([]);
      return { cert, key, ca: authority.ca, minVersion: "TLSv1.3" as const };
    };
    const server = createServer(
      {
        ...(await context()),
        requestCert: true,
        rejectUnauthorized: false, // a joiner has no certificate yet
        handshakeTimeout: HANDSHAKE_MS,
        requestTimeout: REQUEST_MS,
        headersTimeout: REQUEST_MS,
        connectionsCheckingInterval: CHECK_MS,
        keepAliveTimeout: 1000,
      },
      (request, response) => void respond(request, response, { ...options, refused }),
    );
    keepToConnections(server, MOST_CONNECTIONS);
    await listenOrExplain(server, { host, port });
    const renew = () =>
      context().then(
        (fresh) => server.setSecureContext(fresh),
        (err: unknown) => logger.warn({ err }, "the enrollment server keeps its certificate"),
      );
    return new EnrollmentServer(server, setInterval(renew, OWN_RENEWAL_MS).unref());
  }

  /** Ends open connections too. */
  async close(): Promise<void> {
    clearInterval(this.#renewal);
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  options: EnrollmentServerOptions & { readonly refused: (fields: object, message: string) => void },
): Promise<void> {
  const { logger, refused } = options;
  const from = request.socket.remoteAddress;
  try {
    send(response, 200, await answer(request, options));
  } catch (error) {
    const { code, message, row } = toRhoneError(error);
    if (code === "INTERNAL") logger.error({ err: error }, "an enrollment failed");
    else refused({ code, reason: message, from }, "enrollment refused");
    send(response, row.http, { error: { code, message } });
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.destroyed) return;
  response
    .writeHead(status, { "content-type": "application/json", "cache-control": "no-store", connection: "close" })
    .end(JSON.stringify(body));
}

async function answer(request: IncomingMessage, options: EnrollmentServerOptions): Promise<unknown> {
  const { authority } = options;
  switch (`${request.method} ${request.url}`) {
    case `GET ${PATHS.cluster}`:
      return { ca: authority.ca };
    case `POST ${PATHS.enroll}`:
      return enroll(request, options);
    case `POST ${PATHS.renew}`:
      return renew(request, options);
    case `GET ${PATHS.revoked}`:
      return revoked(request, options);
    case `POST ${PATHS.probe}`:
      return probed(request, options);
    default:
      throw new RhoneError("NOT_FOUND", "Machines join here: rhone join HOST:PORT TOKEN");
  }
}

async function enroll(request: IncomingMessage, options: EnrollmentServerOptions): Promise<Enrolled> {
  const { authority, places, logger } = options;
  const order = await readBody(request, enrollSchema);
  const { role, name, token } = order;
  const certificate = await authority.enroll({ ...order, hosts: hostsOf(request) });
  logger.info({ role, name, token, from: request.socket.remoteAddress }, "member enrolled");
  return { certificate, places: await places() };
}

async function renew(request: IncomingMessage, options: EnrollmentServerOptions): Promise<Enrolled> {
  const { authority, places, logger } = options;
  const member = memberOf(request, authority.cluster);
  const order = await readBody(request, renewSchema);
  const certificate = await authority.renew({ ...member, ...order, hosts: hostsOf(request) });
  logger.info({ ...member, from: request.socket.remoteAddress }, "certificate renewed");
  return { certificate, places: await places() };
}

async function revoked(request: IncomingMessage, { authority }: EnrollmentServerOptions) {
  memberOf(request, authority.cluster);
  return { keys: await authority.members.revoked() };
}

/** Workers are probed by their coordinator; other members are not connected to. */
async function probed(request: IncomingMessage, { authority, probe }: EnrollmentServerOptions) {
  const { role, name } = memberOf(request, authority.cluster);
  if (role !== "coordinator") {
    throw new RhoneError("CERTIFICATE_REFUSED", `Coordinators are probed here; ${name} is a ${role}.`);
  }
  const { address } = await readBody(request, probeSchema);
  return { problem: await probe(address) };
}

/** The member that a valid certificate of this cluster is for. Throws CERTIFICATE_REFUSED. */
function memberOf(request: IncomingMessage, cluster: string): { readonly role: MemberRole; readonly name: string } {
  const socket = request.socket as TLSSocket;
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  const [uri = "", ...others] = certificate === undefined ? [] : urisOf(certificate);
  const [role, name] = uri.split("/").slice(-2);
  const isMember = MEMBER_ROLES.some((each) => each === role) && name !== undefined && others.length === 0;
  if (isMember && uri === uriOf({ cluster, role: role as MemberRole, name })) return { role: role as MemberRole, name };
  const why =
    socket.authorizationError === undefined ? "it has none" : `its own is refused (${socket.authorizationError})`;
  throw new RhoneError(
    "CERTIFICATE_REFUSED",
    `A certificate is renewed for a member that shows a valid one of this cluster; ${why}. Join again with a token.`,
  );
}

/** The address that the server sees. */
function hostsOf({ socket }: IncomingMessage): readonly string[] {
  const address = socket.remoteAddress?.replace(/^::ffff:/, "");
  return address === undefined ? [] : [address];
}

/** Throws BODY_TOO_LARGE, INVALID_JSON, INVALID_REQUEST. */
async function readBody<S extends z.ZodType>(request: IncomingMessage, schema: S): Promise<z.output<S>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  // The connection is still needed for the answer to a body that is too long.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > LARGEST_BODY) {
      throw new RhoneError("BODY_TOO_LARGE", `The body has more than ${LARGEST_BODY} bytes.`);
    }
    chunks.push(chunk);
  }
  const { data, error } = schema.safeParse(parseJson(Buffer.concat(chunks).toString("utf8")), { reportInput: true });
  if (error !== undefined) throw new RhoneError("INVALID_REQUEST", `${explainRefusal(error, "the body").problem}.`);
  return data as z.output<S>;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new RhoneError("INVALID_JSON", "The body is not JSON.");
  }
}

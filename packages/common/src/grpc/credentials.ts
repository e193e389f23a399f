import type { PeerCertificate } from "node:tls";
import { type ChannelCredentials, credentials, experimental, ServerCredentials } from "@grpc/grpc-js";
import type { Identity } from "../security/identity.js";
import type { Security } from "../security/security.js";

// What gRPC needs of a process's security, apart from it: processes without gRPC have security, too.

/** For connections that fail if `notServer` says why the server is not the right one. */
export function clientCredentials(
  { identity }: Security,
  notServer: (certificate: PeerCertificate) => Error | undefined,
): ChannelCredentials {
  if (identity === null) return credentials.createInsecure();
  return experimental.createCertificateProviderChannelCredentials(identity, identity, {
    checkServerIdentity: (_host, certificate) => notServer(certificate),
  });
}

/** Connections without a certificate are taken too: each call is refused by `refusalOf`, which can say why. */
export const serverCredentials = ({ identity }: Security): ServerCredentials =>
  identity === null ? ServerCredentials.createInsecure() : new IdentityCredentials(identity);

/** Credentials of servers, which take the certificate that is the newest when a connection begins. */
class IdentityCredentials extends ServerCredentials {
  constructor(identity: Identity) {
    super({ requestCert: true, rejectUnauthorized: false }, identity.context);
    identity.onChange(() => this.updateSecureContextOptions(identity.context));
  }

  _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

import type { Server, TLSSocket } from "node:tls";
import type { Security } from "./security.js";

/** Ends the connections of a TLS server whose callers' keys are revoked, at that moment; call the result to stop it. */
export function endRevoked(server: Server, security: Security): () => void {
  const open = new Set<TLSSocket>();
  server.on("secureConnection", (socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  return security.onRevoked(() => {
    for (const socket of open) if (security.isRevoked(socket.getPeerCertificate())) socket.destroy();
  });
}

import { type Server, ServerCredentials } from "@grpc/grpc-js";
import { explainBindError, type ListenAddress } from "../observability/listen.js";

/** Binds a gRPC server and returns its port. Throws PORT_IN_USE. */
export async function bindGrpc(server: Server, { host, port }: ListenAddress): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) return resolve(bound);
      const code = /EADDRINUSE|EACCES|EADDRNOTAVAIL/.exec(error.message)?.[0];
      reject(explainBindError(Object.assign(error, code === undefined ? {} : { code }), { host, port }));
    });
  });
}

import { Metadata, type ServerDuplexStream, type ServiceError, status } from "@grpc/grpc-js";
import { describe, expect, onTestFinished, test } from "vitest";
import { ERROR_TABLE, type ErrorCode } from "../errors/error-table.js";
import { RhoneError } from "../errors/rhone-error.js";
import { PLAINTEXT } from "../testing/plaintext.js";
import { GrpcServer, openChannel } from "./channel.js";
import { fromGrpcError, toGrpcStatus } from "./error-status.js";
import { type CoordinatorMessage, controlService, type WorkerMessage } from "./services.js";

const CODES = Object.keys(ERROR_TABLE) as ErrorCode[];

describe("an error becomes a status", () => {
  test.each(CODES)("%s: the status of the error table, the code in the metadata", (code) => {
    const sent = toGrpcStatus(new RhoneError(code, "3 of 4 pages are gone."));
    expect(sent).toMatchObject({ code: ERROR_TABLE[code].grpc, details: "3 of 4 pages are gone." });
    expect(sent.metadata?.get("rhone-code")).toEqual([code]);
  });

  test.each([
    ["an Error", new Error("secret path /home/x")],
    ["a string", "secret"],
    ["nothing", undefined],
  ])("%s without a name is sent as INTERNAL, without its text", (_name, thrown) => {
    const sent = toGrpcStatus(thrown);
    expect(sent.code).toBe(status.INTERNAL);
    expect(sent.details).not.toContain("secret");
    expect(sent.metadata?.get("rhone-code")).toEqual(["INTERNAL"]);
  });
});

test("a message that quotes what it was sent stays a header that can be sent", () => {
  const { details = "" } = toGrpcStatus(new RhoneError("NOT_FOUND", `${"ü".repeat(5000)}\ud800`));
  expect(details).toBe(`${"ü".repeat(4000)}…`);
  const { details: half = "" } = toGrpcStatus(new RhoneError("NOT_FOUND", "\ud800"));
  expect(encodeURI(half)).toBe("%EF%BF%BD"); // gRPC does this, and throws for half a character
});

describe("a failed call becomes an error", () => {
  const failure = (code: status, details: string, rhoneCode?: string): ServiceError => {
    const metadata = new Metadata();
    if (rhoneCode !== undefined) metadata.set("rhone-code", rhoneCode);
    return Object.assign(new Error(`${code}: ${details}`), { code, details, metadata });
  };

  test.each([
    ["the peer's own", failure(status.INTERNAL, "Page 3 is lost.", "STAGE_FAILED"), "STAGE_FAILED", "Page 3 is lost."],
    [
      "a code of another release",
      failure(status.INTERNAL, "?", "NEWER"),
      "WORKER_LOST",
      "The connection to w failed: ?.",
    ],
    ["a call that the peer cancelled", failure(status.CANCELLED, "x"), "WORKER_LOST", "The connection to w failed: x."],
    [
      "nobody there",
      failure(
        status.UNAVAILABLE,
        "No connection established. Last error: Error: connect ECONNREFUSED 10.0.0.1:7110. Resolution note: ",
      ),
      "WORKER_LOST",
      "The connection to w failed: connect ECONNREFUSED 10.0.0.1:7110.",
    ],
    ["no such method", failure(status.UNIMPLEMENTED, "no"), "WORKER_LOST", "The connection to w failed: no."],
  ])("%s", (_name, received, code, message) => {
    const error = fromGrpcError(received, "w");
    expect(error).toMatchObject({ code, message, cause: received });
  });
});

test.each(["MODEL_MISMATCH", "SHUTTING_DOWN", "KV_FULL"] as const)("%s survives the wire", async (code) => {
  const sent = new RhoneError(code, "3 of 4 pages, “quoted” and more.");
  const join = (stream: ServerDuplexStream<WorkerMessage, CoordinatorMessage>): void => {
    stream.emit("error", toGrpcStatus(sent));
  };
  const server = await GrpcServer.open({ host: "127.0.0.1", port: 0, security: PLAINTEXT }, (services) =>
    services.addService(controlService, { join }),
  );
  const client = openChannel(`127.0.0.1:${server.port}`, { security: PLAINTEXT, expect: { role: "coordinator" } });
  onTestFinished(() => {
    client.close();
    server.close();
  });
  const { path, requestSerialize, responseDeserialize } = controlService.join;
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  const error = await new Promise<ServiceError>((resolve) => stream.on("error", resolve));
  expect(fromGrpcError(error, "the coordinator")).toMatchObject({ code, message: sent.message });
});

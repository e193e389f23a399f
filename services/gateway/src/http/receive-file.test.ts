import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { fakeGateway } from "../testing/fake-gateway.js";
import { describeUpload } from "./receive-file.js";

const CONTENT = "0123456789".repeat(800);
const FORM = [
  '--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n',
  `--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n${CONTENT}\r\n--x--\r\n`,
].join("");

/** The chunks of a body, one byte each. */
const inBytes = (body: string): string => [...body].map((byte) => `1\r\n${byte}\r\n`).join("");

/** A client that has begun an upload, and what the storage was asked to write. */
async function uploading() {
  const { app, files } = fakeGateway();
  const create = files.create.bind(files);
  const seen = { writes: [] as string[], discarded: 0 };
  files.create = async () => {
    const file = await create();
    const [write, discard] = [file.write.bind(file), file.discard.bind(file)];
    file.write = (bytes) => {
      seen.writes.push(String(bytes));
      return write(bytes);
    };
    file.discard = () => {
      seen.discarded++;
      return discard();
    };
    return file;
  };
  await app.listen({ port: 0, host: "127.0.0.1" });
  const client = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
  onTestFinished(async () => {
    client.destroy();
    await app.close();
  });
  const headers = "connection: close\r\ncontent-type: multipart/form-data; boundary=x\r\ntransfer-encoding: chunked";
  client.write(`POST /v1/files HTTP/1.1\r\nhost: x\r\n${headers}\r\n\r\n`);
  return { client, seen };
}

it("writes a file whose bytes come in chunks of their own in a few pieces", async () => {
  const { client, seen } = await uploading();
  client.write(`${inBytes(FORM)}0\r\n\r\n`);
  expect(await text(client)).toMatch(/^HTTP\/1.1 200.*"bytes":8000/s);
  expect(seen.writes.join("")).toBe(CONTENT);
  expect(seen.writes.length).toBeLessThan(5);
});

it("discards the file of a client that leaves", async () => {
  const { client, seen } = await uploading();
  client.write(`2000\r\n${FORM.slice(0, 0x2000)}\r\n`);
  await expect.poll(() => seen.writes.length).toBeGreaterThan(0);
  client.destroy();
  await once(client, "close");
  await expect.poll(() => seen.discarded).toBe(1);
});

it("refuses a form of many empty parts", async () => {
  const { client } = await uploading();
  client.write(`${inBytes("--x\r\n\r\n\r\n".repeat(40) + FORM)}0\r\n\r\n`);
  expect(await text(client)).toMatch(/^HTTP\/1.1 400.*parts limit/s);
});

it("refuses a name of more than 255 characters", () => {
  const named = (length: number) => describeUpload({ filename: "n".repeat(length), fields: { purpose: "batch" } }, "");
  expect(named(255).filename).toHaveLength(255);
  expect(() => named(256)).toThrow("file: its name has 256 characters, 255 at most.");
});

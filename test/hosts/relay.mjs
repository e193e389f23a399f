// A wire between two taps of this network namespace: frames pass late, slowly, or not at all. Its parent sends what the
// wire does to them (wire-shaper.ts), and gets an answer when that holds. Usage: relay.mjs NEAR FAR
import { openSync, read, writeSync } from "node:fs";
import koffi from "koffi";

const TUNSETIFF = 0x400454ca;
/** IFF_TAP | IFF_NO_PI: whole Ethernet frames, and nothing before them. */
const FLAGS = 0x1002;
/** Frames that would wait longer than this for a slow wire are lost: they do not fit into its queue. */
const MOST_QUEUED_MS = 200;
const LARGEST_FRAME = 65_536;

const ioctl = koffi.load(null).func("int ioctl(int fd, unsigned long request, ...)");
let wire = { delayMs: 0, loss: 0, msPerByte: 0 };

/** The file of a tap that exists: each read is a frame that the kernel sends to it, each write one that it receives. */
function openTap(name) {
  const file = openSync("/dev/net/tun", "r+");
  const request = Buffer.alloc(40); // struct ifreq: the name, 16 bytes, then the flags
  request.write(name, "latin1");
  request.writeUInt16LE(FLAGS, 16);
  if (ioctl(file, TUNSETIFF, "void *", request) !== 0) throw new Error(`tap ${name}: errno ${koffi.errno()}`);
  return file;
}

/** Passes frames on in one direction, in order. */
function carry(from, to) {
  const buffer = Buffer.allocUnsafe(LARGEST_FRAME);
  const waiting = [];
  let freeAt = 0;
  let timer;
  const deliver = () => {
    timer = undefined;
    while (waiting.length > 0 && waiting[0].at <= performance.now()) send(to, waiting.shift().frame);
    if (waiting.length > 0) timer = setTimeout(deliver, waiting[0].at - performance.now());
  };
  const next = () => {
    read(from, buffer, 0, LARGEST_FRAME, null, (error, size) => {
      if (error !== null) throw error;
      const now = performance.now();
      const begins = Math.max(now, freeAt);
      if (Math.random() >= wire.loss && begins - now <= MOST_QUEUED_MS) {
        freeAt = begins + size * wire.msPerByte;
        waiting.push({ frame: Buffer.from(buffer.subarray(0, size)), at: freeAt + wire.delayMs });
        if (timer === undefined) deliver();
      }
      next();
    });
  };
  next();
}

function send(tap, frame) {
  try {
    writeSync(tap, frame);
  } catch {} // nobody is at the other end of the wire: the frame is lost
}

const [near, far] = process.argv.slice(2).map(openTap);
process.on("message", ({ delayMs = 0, loss = 0, bytesPerS = Number.POSITIVE_INFINITY }) => {
  wire = { delayMs, loss, msPerByte: 1000 / bytesPerS };
  process.send("taken");
});
// Not by exit(), which would wait for the threads that read.
process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
carry(near, far);
carry(far, near);

import { rhone } from "@rhone/proto";
import fc from "fast-check";

// Messages between processes as nobody sends them: fields are missing or have any value of their type.

const { Frame, WorkerMessage, Heartbeat, DescribeWeights, HashTensors, ReadWeights } = rhone.v1;

const small = fc.nat(40);
const uint32 = fc.oneof(
  { weight: 3, arbitrary: small },
  fc.constantFrom(255, 65_535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1),
);
const uint64 = fc.oneof({ weight: 3, arbitrary: small }, fc.constantFrom(2 ** 32, 2 ** 53 - 1));
const float = fc.oneof(fc.constantFrom(0, 1, -1, 0.5, Number.NaN, Infinity, -Infinity, 1e-45, 3e38), fc.float());
const text = fc.oneof(
  fc.constantFrom("", "w", "coordinator", "\0", "x".repeat(5000), "ü".repeat(30_000), "root ::= "),
  fc.string({ unit: "binary" }),
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 64 }),
  fc.array(small, { maxLength: 16 }).map((tokens) => new Uint8Array(Int32Array.from(tokens).buffer)),
);
const list = <T>(item: fc.Arbitrary<T>) => fc.array(item, { maxLength: 4 });
/** A message of which each field may be missing. */
const some = <T extends object>(fields: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(fields, { requiredKeys: [] });

const sampling = some({
  ...{ temperature: float, topK: uint32, topP: float, minP: float, repetitionPenalty: float, frequencyPenalty: float },
  ...{ presencePenalty: float, seed: uint32, biasTokens: bytes, biasValues: bytes, logprobs: fc.boolean() },
  ...{ topLogprobs: uint32, bannedUntilMin: list(uint32), minPosition: uint32 },
});
const constraint = some({ grammar: text, trigger: uint32, otherwise: text, lastPosition: uint32 });
const timing = some({ stage: uint32, queuedUs: uint32, computeUs: uint32, idleUs: uint32, overheadUs: uint32 });
const score = some({ token: uint32, logprob: float, topTokens: list(uint32), topLogprobs: list(float) });
const sequenceError = some({ code: text, message: text });
export const fuzzedStep = some({
  copies: list(some({ from: uint32, to: uint32 })),
  opens: list(some({ sequence: uint32, sampling, history: bytes, generated: bytes, constraint, owner: text })),
  spans: list(
    some({
      ...{ sequence: uint32, position: uint32, count: uint32, pages: list(uint32), firstPage: uint32 },
      ...{ sample: fc.boolean(), targets: list(uint32), topTargets: uint32, drafts: uint32, pool: fc.boolean() },
      carried: fc.boolean(),
    }),
  ),
  ...{ closes: list(uint32), tokens: bytes, hidden: bytes, hiddenType: fc.nat(9), timings: list(timing) },
});
export const fuzzedResult = some({
  spans: list(
    some({ sequence: uint32, tokens: list(score), scores: list(score), pooled: bytes, error: sequenceError }),
  ),
  timings: list(timing),
});

/** The pipeline and epoch of a cluster at this moment, of which most frames are. */
export interface Place {
  readonly pipeline: string;
  readonly epoch: number;
}

export const fuzzedFrame = ({ pipeline, epoch }: Place): fc.Arbitrary<Uint8Array> =>
  fc
    .record({
      pipeline: fc.oneof({ weight: 9, arbitrary: fc.constant(pipeline) }, text),
      epoch: fc.oneof({ weight: 9, arbitrary: fc.constant(epoch) }, uint64),
      step: uint64,
      body: fc.oneof(
        { weight: 6, arbitrary: fuzzedStep.map((stepBody) => ({ stepBody })) },
        { weight: 3, arbitrary: fuzzedResult.map((it) => ({ result: it })) },
        some({ workers: list(text) }).map((probe) => ({ probe })),
        some({ code: text, message: text, worker: text, stage: uint32 }).map((failure) => ({ failure })),
        some({ sequence: uint32, error: sequenceError }).map((ready) => ({ ready })),
      ),
    })
    .map(({ body, ...head }) => Frame.encode({ ...head, ...body } as rhone.v1.Frame.$Properties).finish());

const hello = some({
  ...{ worker: text, address: fc.oneof(text, fc.constant("127.0.0.1:9")), protocol: fc.constantFrom(0, 5, 6, 7) },
  ...{ engine: text, device: text, memoryTotal: uint64, threads: uint32, hostname: text, pid: uint32, gflops: float },
  ...{ bandwidth: float, operations: text, simulated: fc.boolean(), rowBlock: uint32, kernels: text, session: text },
  memoryFrom: text,
});
/** Encoded. */
export const fuzzedWorkerMessage = fc
  .oneof(
    { weight: 4, arbitrary: hello.map((it) => ({ hello: it })) },
    some({ load: uint64, bytes: uint64, totalBytes: uint64 }).map((progress) => ({ progress })),
    some({ load: uint64, weightBytes: uint64, pageBytes: uint64, varies: text }).map((ready) => ({ ready })),
    some({ load: uint64, code: text, message: text }).map((failed) => ({ failed })),
    some({
      calibration: uint64,
      stepTimes: list(some({ rows: uint32, layerMs: float, headMs: float })),
      waited: float,
    }).map((calibrated) => ({ calibrated })),
    fc.constant({ leave: {} }),
  )
  .map((message) => WorkerMessage.encode(message as rhone.v1.WorkerMessage.$Properties).finish());
/** Encoded. */
export const fuzzedHeartbeat = some({
  resident: uint64,
  steps: uint64,
  busyUs: uint64,
  worker: text,
  stillMs: uint32,
}).map((message) => Heartbeat.encode(message as rhone.v1.Heartbeat.$Properties).finish());

/** A model's file, of which most of what is asked for weights is. */
export interface FuzzedFile {
  readonly fingerprint: string;
  readonly tensors: readonly string[];
}

/** What is asked of rhone.v1.Weights, by method, encoded. */
export function fuzzedWeights({ fingerprint, tensors }: FuzzedFile) {
  const file = fc.oneof({ weight: 6, arbitrary: fc.constant(fingerprint) }, text);
  const tensor = fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...tensors) }, text);
  /** Few, or more than may be asked for. */
  const many = <T>(item: fc.Arbitrary<T>, usual: T) =>
    fc.oneof({ weight: 20, arbitrary: list(item) }, fc.constant(Array<T>(20_000).fill(usual)));
  const piece = fc.tuple(fc.oneof(some({ tensor }), some({ header: uint32 })), some({ from: uint64 }));
  const pieces = many<object>(
    piece.map(([what, from]) => ({ ...what, ...from })),
    { header: 0 },
  );
  return {
    describe: some({ fingerprint: file }).map((query) => DescribeWeights.encode(query).finish()),
    hash: some({ fingerprint: file, tensors: many(tensor, "t") }).map((query) => HashTensors.encode(query).finish()),
    read: some({ fingerprint: file, pieces }).map((query) =>
      ReadWeights.encode(query as rhone.v1.ReadWeights.$Properties).finish(),
    ),
  };
}

/** The bytes as they are, or damaged. */
export const damaged = (whole: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Buffer> =>
  fc.oneof(
    { weight: 6, arbitrary: whole.map((it) => Buffer.from(it)) },
    {
      weight: 1,
      arbitrary: fc.tuple(whole, fc.nat()).map(([it, at]) => Buffer.from(it).subarray(0, at % (it.length + 1))),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(whole, fc.array(fc.nat(), { minLength: 1, maxLength: 4 })).map(([it, bits]) => {
        const copy = Buffer.from(it);
        for (const bit of bits) {
          const at = (bit >> 3) % Math.max(1, copy.length);
          if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
        }
        return copy;
      }),
    },
    { weight: 1, arbitrary: fc.tuple(whole, whole).map((both) => Buffer.concat(both)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((it) => Buffer.from(it)) },
    { weight: 1, arbitrary: fc.constantFrom(70_000, 3_000_000).map((size) => Buffer.alloc(size, 0x0a)) },
  );

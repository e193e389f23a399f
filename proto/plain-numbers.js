// 64-bit fields decode to plain numbers: steps, epochs and byte counts stay far below 2^53.
// Imported before the generated code, which reads `util.Long` when it is evaluated.
import protobuf from "protobufjs/minimal.js";

protobuf.util.Long = undefined;
protobuf.configure();

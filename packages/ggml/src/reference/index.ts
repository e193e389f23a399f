export { ReferenceBatch } from "./reference-batch.js";
export { ReferenceModel } from "./reference-model.js";
export { ReferenceSteps } from "./reference-steps.js";

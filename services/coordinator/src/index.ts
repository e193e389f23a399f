export { type CoordinatorConfig, coordinatorSettings } from "./config.js";
export { type CoordinatorAddresses, type CoordinatorOptions, startCoordinator } from "./coordinator.js";
export type { ModelFacts } from "./model/model-facts.js";
export { loadServedModel, type ServedModelOptions } from "./model/served-model.js";

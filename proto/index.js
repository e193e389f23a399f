import "./plain-numbers.js";

export { rhone } from "./generated/rhone.js";

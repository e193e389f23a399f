export { rhone } from "./generated/rhone.js";

export { Authority, LEAF_LIFE_MS, membersOf, tokensOf } from "./authority/authority.js";
export type { MemberState, MemberView } from "./authority/members.js";
export type { TokenState, TokenUse, TokenView } from "./authority/token-store.js";
export { askForProbe, enroll, fetchRevoked, type MemberPlace, renew } from "./enrollment/enrollment-client.js";
export { EnrollmentServer, type EnrollmentServerOptions } from "./enrollment/enrollment-server.js";
export { Expulsions, type ExpulsionsOptions } from "./enrollment/expulsions.js";
export { isDue, Renewal, type RenewalOptions } from "./enrollment/renewal.js";
export {
  createFile,
  type Identity,
  type IdentityFiles,
  identityFiles,
  readIdentity,
  writeRevoked,
} from "./identity-files.js";
export { formatToken, type JoinToken, parseToken } from "./join-token.js";
export { type Log, sparingly } from "./log.js";
export { authorityHash, clusterOf, MEMBER_ROLES, type MemberRole, memberNameSchema, type Role } from "./member-name.js";

export { Authority, LEAF_LIFE_MS, tokensOf } from "./authority/authority.js";
export type { TokenState, TokenUse, TokenView } from "./authority/token-store.js";
export { enroll, type MemberPlace, renew } from "./enrollment/enrollment-client.js";
export type { Places } from "./enrollment/enrollment-messages.js";
export { EnrollmentServer, type EnrollmentServerOptions } from "./enrollment/enrollment-server.js";
export { isDue, Renewal, type RenewalOptions } from "./enrollment/renewal.js";
export { type Identity, type IdentityFiles, identityFiles, readIdentity } from "./identity-files.js";
export { formatToken, type JoinToken, parseToken } from "./join-token.js";
export { authorityHash, clusterOf, MEMBER_ROLES, type MemberRole, memberNameSchema } from "./member-name.js";

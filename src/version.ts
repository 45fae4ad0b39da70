/** The version in package.json; a unit test compares them. It is part of the evidence: production is migrated by the version that rehearsed. */
export const toolVersion = '0.1.0';

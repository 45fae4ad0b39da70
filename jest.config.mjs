// Real databases make some tests slow; each file has its own clusters, so two workers are enough for two cores.
const transform = {
  '^.+\\.ts$': ['@swc/jest', { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'es6' }, sourceMaps: 'inline' }],
};
const base = { testEnvironment: 'node', extensionsToTreatAsEsm: ['.ts'], moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' }, transform };
export default {
  projects: [
    { ...base, displayName: 'unit', testMatch: ['<rootDir>/__tests__/unit/**/*.test.ts'] },
    { ...base, displayName: 'cluster', testMatch: ['<rootDir>/__tests__/cluster/**/*.test.ts'] },
    { ...base, displayName: 'workflow', testMatch: ['<rootDir>/__tests__/workflow/**/*.test.ts'] },
  ],
  testTimeout: 120000,
  maxWorkers: 2,
};

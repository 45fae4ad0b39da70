import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import prettier from 'eslint-config-prettier';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import jest from 'eslint-plugin-jest';
import tseslint from 'typescript-eslint';

/** The layers of HOUSE: a room may import only from the rooms named beside it. */
const zone = (target, ...banned) =>
  banned.map((from) => ({ target: `./src/${target}`, from: `./src/${from}`, message: `layers: ${target} may not import ${from}` }));
const zones = [
  ...zone('pg', 'plan', 'journal', 'steps', 'phases', 'host', 'proof', 'backup', 'drift', 'online', 'run.ts'),
  ...zone('plan', 'journal', 'steps', 'phases', 'host', 'proof', 'backup', 'drift', 'online', 'run.ts'),
  ...zone('proof', 'plan/read.ts', 'journal', 'steps', 'phases', 'host', 'backup', 'drift', 'run.ts'),
  ...zone('backup', 'journal', 'steps', 'phases', 'host', 'drift', 'run.ts'),
  ...zone('drift', 'journal', 'steps', 'phases', 'host', 'backup', 'run.ts'),
  ...zone('online', 'journal', 'steps', 'phases', 'host', 'backup', 'drift', 'run.ts'),
  ...zone('journal', 'steps/index.ts', 'phases', 'host', 'backup', 'drift', 'run.ts'),
  ...zone('steps', 'phases', 'host', 'backup', 'drift', 'run.ts'),
  ...zone('phases', 'host', 'run.ts'),
  ...zone('report', 'pg', 'plan', 'journal', 'steps', 'phases', 'host', 'proof', 'backup', 'drift', 'online', 'run.ts'),
  ...zone('host', 'pg', 'journal', 'steps', 'phases', 'backup', 'drift', 'online', 'proof', 'run.ts'),
];

const restricted = (allow) => ({
  'no-restricted-imports': [
    'error',
    {
      paths: [
        { name: 'pg', message: 'only src/pg talks to the driver' },
        { name: 'node:child_process', message: 'only src/host starts processes: use the Exec port' },
      ].filter((p) => !allow.includes(p.name)),
      patterns: allow.includes('@actions/*')
        ? []
        : [{ group: ['@actions/*'], message: 'only src/host/actions*.ts and src/host/store/github.ts import @actions/*' }],
    },
  ],
});

export default defineConfig(
  { ignores: ['dist/', 'lib/', 'coverage/', 'node_modules/', 'src/generated/', 'examples/bazaar-vid/drizzle/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts'], extensionAlias: { '.js': ['.ts', '.js'] } })] },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidOperator: true }],
      '@typescript-eslint/consistent-type-definitions': 'off',
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      '@typescript-eslint/dot-notation': 'off',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': ['error', { zones, basePath: import.meta.dirname }],
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'only host/, main.ts and cli.ts read the environment' },
        { object: 'process', property: 'exit', message: 'only host/, main.ts and cli.ts end the process' },
      ],
      ...restricted([]),
    },
  },
  { files: ['src/pg/**/*.ts'], rules: restricted(['pg']) },
  {
    files: ['src/host/**/*.ts', 'src/main.ts', 'src/cli.ts'],
    rules: { ...restricted(['node:child_process', '@actions/*']), 'no-restricted-properties': 'off', 'no-console': 'off' },
  },
  {
    files: ['__tests__/**/*.ts', 'bench/**/*.ts'],
    extends: [jest.configs['flat/recommended']],
    rules: {
      'jest/expect-expect': 'off',
      'jest/no-conditional-expect': 'off',
      'jest/no-standalone-expect': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      'no-console': 'off',
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        Buffer: 'readonly',
        fetch: 'readonly',
        AbortController: 'readonly',
      },
    },
  },
  prettier,
);

import { rmSync, writeFileSync } from 'node:fs';

/** The application shows a banner, and starts no new renders, while this file exists. */
const flag = new URL('.maintenance', import.meta.url);

switch (process.argv[2]) {
  case 'on':
    writeFileSync(flag, `${new Date().toISOString()}\n`);
    break;
  case 'off':
    rmSync(flag, { force: true });
    break;
  default:
    throw new Error('usage: node maintenance.mjs on | off');
}
console.log(`maintenance is ${process.argv[2]}`);

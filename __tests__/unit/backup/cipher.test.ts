import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, test } from '@jest/globals';
import { Decrypter, Encrypter, generateX25519Identity, identityToRecipient } from 'age-encryption';
import { decryptFile, encryptFile, keyOf, lockOf } from '../../../src/backup/cipher.js';

const dir = mkdtempSync(join(tmpdir(), 'cipher-'));
afterAll(() => rmSync(dir, { recursive: true }));
let made = 0;
const path = (): string => join(dir, `f${String((made += 1))}`);
const bytes = (size: number): Buffer => Buffer.from(Array.from({ length: size }, (_v, i) => (i * 31 + (i >> 8)) & 255));
const pieces = (data: Buffer, size: number): Readable =>
  Readable.from(Array.from({ length: Math.ceil(data.length / size) }, (_v, i) => data.subarray(i * size, (i + 1) * size)));
const identity = await generateX25519Identity();
const recipient = await identityToRecipient(identity);
const lock = { kind: 'x25519', recipients: [recipient] } as const;
const key = { kind: 'identity', identities: [identity] } as const;

describe('a backup file', () => {
  test.each([0, 1, 65535, 65536, 65537, 131072, 300001])('of %i bytes can be read by the age library and by us', async (size) => {
    const data = bytes(size);
    const file = path();
    const made = await encryptFile(pieces(data, 1000), file, lock);
    const stored = readFileSync(file);
    expect(made).toMatchObject({ bytes: stored.length, plainBytes: size, digest: createHash('sha256').update(stored).digest('hex') });
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const decrypter = new Decrypter();
    decrypter.addIdentity(identity);
    expect(Buffer.from(await decrypter.decrypt(new Uint8Array(stored))).equals(data)).toBe(true);
    for (const opener of [key, { kind: 'file-key', fileKey: made.fileKey } as const]) {
      const back = path();
      await decryptFile(file, back, opener);
      expect(readFileSync(back).equals(data)).toBe(true);
    }
  });

  test('written by the age library is read by us', async () => {
    const data = bytes(200000);
    const encrypter = new Encrypter();
    encrypter.addRecipient(recipient);
    const [file, back] = [path(), path()];
    writeFileSync(file, await encrypter.encrypt(new Uint8Array(data)));
    await decryptFile(file, back, key);
    expect(readFileSync(back).equals(data)).toBe(true);
  });

  test('locked by a passphrase is opened by it and by no other', async () => {
    const [file, back] = [path(), path()];
    await encryptFile(pieces(bytes(100), 10), file, { kind: 'scrypt', passphrase: 'correct horse battery' });
    await decryptFile(file, back, { kind: 'passphrase', passphrase: 'correct horse battery' });
    expect(readFileSync(back).equals(bytes(100))).toBe(true);
    await expect(decryptFile(file, path(), { kind: 'passphrase', passphrase: 'another one entirely' })).rejects.toThrow(/backup-passphrase does not open it/);
  }, 60000);

  test('is not opened by another key', async () => {
    const file = path();
    await encryptFile(pieces(bytes(100), 10), file, lock);
    await expect(decryptFile(file, path(), { kind: 'identity', identities: [await generateX25519Identity()] })).rejects.toMatchObject({
      findings: [{ code: 'backup-unreadable', severity: 'block' }],
    });
  });

  test('that was cut anywhere or changed in any part is refused and leaves nothing behind', async () => {
    const file = path();
    await encryptFile(pieces(bytes(65536 * 2), 5000), file, lock);
    const whole = readFileSync(file);
    const before = readdirSync(dir).length;
    const damage: [string, Buffer][] = [
      ['empty', Buffer.alloc(0)],
      ['half a header', whole.subarray(0, 40)],
      ['no payload', whole.subarray(0, 200)],
      ['a whole chunk short', whole.subarray(0, whole.length - 65536 - 16)],
      ['one byte short', whole.subarray(0, whole.length - 1)],
      ['one byte more', Buffer.concat([whole, Buffer.from([0])])],
      ['another chunk', Buffer.concat([whole, whole.subarray(whole.length - 65552)])],
      ...[30, 100, 210, 40000, 70000, whole.length - 3].map((at): [string, Buffer] => [
        `byte ${String(at)} changed`,
        Buffer.from(whole.map((b, i) => (i === at ? b ^ 1 : b))),
      ]),
    ];
    for (const [name, data] of damage) {
      const bad = path();
      writeFileSync(bad, data);
      const code = await decryptFile(bad, path(), key).then(
        () => 'read',
        (e: unknown) => (e as { findings?: { code: string }[] }).findings?.[0]?.code,
      );
      expect([name, code]).toEqual([name, 'backup-unreadable']);
    }
    expect(readdirSync(dir).length).toBe(before + damage.length);
  });

  test('whose source fails leaves neither the file nor a part of it', async () => {
    const before = readdirSync(dir);
    const failing = Readable.from(
      (async function* () {
        yield bytes(100000);
        await Promise.resolve();
        throw new Error('pg_dump died');
      })(),
    );
    await expect(encryptFile(failing, path(), lock)).rejects.toThrow('pg_dump died');
    expect(readdirSync(dir)).toEqual(before);
  });
});

describe('keys', () => {
  test('a backup without recipient and passphrase is refused, with what to do', () => {
    expect(() => lockOf({ 'backup-recipient': '', 'backup-passphrase': '' })).toThrow(/neither backup-recipient nor backup-passphrase/);
    expect(() => lockOf({ 'backup-recipient': 'age1nonsense', 'backup-passphrase': '' })).toThrow(/is not an age public key/);
    expect(() => lockOf({ 'backup-recipient': recipient, 'backup-passphrase': 'x'.repeat(20) })).toThrow(/both set/);
    expect(() => lockOf({ 'backup-recipient': '', 'backup-passphrase': 'short' })).toThrow(/shorter than 12/);
    expect(lockOf({ 'backup-recipient': ` ${recipient},${recipient}`, 'backup-passphrase': '' })).toEqual({
      kind: 'x25519',
      recipients: [recipient, recipient],
    });
  });

  test('a key file of age-keygen may be pasted whole', () => {
    expect(keyOf({ 'backup-identity': `# created: 2026-11-22\n# public key: ${recipient}\n${identity}\n`, 'backup-passphrase': '' })).toEqual(key);
    expect(keyOf({ 'backup-identity': '', 'backup-passphrase': '' })).toBeNull();
    expect(() => keyOf({ 'backup-identity': recipient, 'backup-passphrase': '' })).toThrow(/not an age secret key/);
  });
});

import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { Decrypter, Encrypter } from 'age-encryption';
import { Bug, UserError } from '../errors.js';
import { block } from '../finding.js';
import { parseList, type Inputs } from '../inputs.js';
import { BackupRefused } from './refused.js';

/**
 * The age v1 format (C2SP age): header and keys by age-encryption, the payload by node:crypto, which is several times faster than
 * its pure JavaScript. Anybody with the `age` program and the key can read a backup without us.
 */

/** What a backup is locked with. */
export type Lock = { readonly kind: 'x25519'; readonly recipients: readonly string[] } | { readonly kind: 'scrypt'; readonly passphrase: string };

/** What a backup is opened with. `file-key`: of a file that this process has just written, so that it can be proved without the secret identity. */
export type Key =
  | { readonly kind: 'identity'; readonly identities: readonly string[] }
  | { readonly kind: 'passphrase'; readonly passphrase: string }
  | { readonly kind: 'file-key'; readonly fileKey: Uint8Array };

const chunkSize = 64 * 1024;
const tagSize = 16;
const nonceSize = 16;
/** the largest header we read; one recipient takes about 100 bytes */
const headerLimit = 64 * 1024;

/** What backups are encrypted for. Refuses (`backup-not-encrypted`) when neither recipient nor passphrase is given, whatever the store. */
export function lockOf(inputs: Pick<Inputs, 'backup-recipient' | 'backup-passphrase'>): Lock {
  const recipients = parseList(inputs['backup-recipient']);
  const passphrase = inputs['backup-passphrase'];
  if (recipients.length > 0 && passphrase !== '') {
    throw new UserError('backup-recipient and backup-passphrase are both set', {
      hint: 'The age format takes one or the other: keep backup-recipient, and leave backup-passphrase empty.',
    });
  }
  if (passphrase !== '') {
    if (passphrase.length < 12)
      throw new UserError('backup-passphrase is shorter than 12 characters', {
        hint: 'Use five random words or more, or better an age key pair (backup-recipient).',
      });
    return { kind: 'scrypt', passphrase };
  }
  if (recipients.length === 0) {
    throw new BackupRefused([
      block('backup-not-encrypted', 'neither backup-recipient nor backup-passphrase is set, and plain dumps are never stored', {
        object: 'backup-recipient',
        hint: 'Run `age-keygen -o key.txt`; put the public key (age1…) into the variable BACKUP_RECIPIENT and the secret key into the secret BACKUP_IDENTITY of the staging environment, and keep a copy of it elsewhere.',
      }),
    ]);
  }
  const bad = recipients.filter((r) => !acceptable(r));
  if (bad.length > 0)
    throw new UserError(`backup-recipient: ${bad.map((r) => `"${r.slice(0, 12)}…"`).join(', ')} is not an age public key`, {
      hint: 'Expected age1 followed by 58 lower-case letters and digits, as printed by age-keygen.',
    });
  return { kind: 'x25519', recipients };
}

/** What backups are read with, or null when no key is given. */
export function keyOf(inputs: Pick<Inputs, 'backup-identity' | 'backup-passphrase'>): Key | null {
  // a key file as age-keygen writes it may be pasted whole: its comments are left out
  const identities = parseList(inputs['backup-identity'].replace(/#[^\n]*/g, ' '));
  if (identities.length > 0) {
    const decrypter = new Decrypter();
    try {
      for (const identity of identities) decrypter.addIdentity(identity);
    } catch {
      throw new UserError('backup-identity is not an age secret key', {
        hint: 'Expected AGE-SECRET-KEY-1… as written by age-keygen. Correct the secret BACKUP_IDENTITY.',
      });
    }
    return { kind: 'identity', identities };
  }
  return inputs['backup-passphrase'] === '' ? null : { kind: 'passphrase', passphrase: inputs['backup-passphrase'] };
}

function acceptable(recipient: string): boolean {
  try {
    new Encrypter().addRecipient(recipient);
    return true;
  } catch {
    return false;
  }
}

export interface Encrypted {
  /** lower-case sha256 hex of the encrypted bytes */
  readonly digest: string;
  readonly bytes: number;
  readonly plainBytes: number;
  readonly fileKey: Uint8Array;
}

/** Encrypts a stream into a new 0600 file in constant memory. The name appears only when everything was read and written; a failing source leaves nothing. */
export async function encryptFile(source: NodeJS.ReadableStream, path: string, lock: Lock): Promise<Encrypted> {
  const { header, fileKey } = await newHeader(lock);
  const partial = `${path}.partial`;
  const hash = createHash('sha256');
  let bytes = 0;
  let plainBytes = 0;
  const nonce = randomBytes(nonceSize);
  const key = payloadKey(fileKey, nonce);
  async function* encrypted(from: AsyncIterable<Buffer | string>): AsyncGenerator<Buffer> {
    const emit = (part: Buffer): Buffer => {
      hash.update(part);
      bytes += part.length;
      return part;
    };
    yield emit(Buffer.concat([header, nonce]));
    let counter = 0;
    for await (const [chunk, last] of chunked(from as AsyncIterable<Buffer>, chunkSize)) {
      plainBytes += chunk.length;
      const cipher = createCipheriv('chacha20-poly1305', key, chunkNonce(counter, last), { authTagLength: tagSize });
      counter += 1;
      yield emit(Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]));
    }
  }
  try {
    await pipeline(source, encrypted, createWriteStream(partial, { mode: 0o600, flags: 'wx', highWaterMark: 1 << 20 }));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return { digest: hash.digest('hex'), bytes, plainBytes, fileKey };
}

/**
 * Decrypts into a new 0600 file. Every chunk is authenticated, and a truncated file fails at its last one, so the name appears only
 * after all of it. Refuses (`backup-unreadable`) for a wrong key, a truncated and a tampered file.
 */
export async function decryptFile(from: string, to: string, key: Key): Promise<void> {
  const { header, size } = await readHeader(from);
  const fileKey = key.kind === 'file-key' ? key.fileKey : await openHeader(header, key);
  const nonce = await readAt(from, size, nonceSize);
  const chunkKey = payloadKey(fileKey, nonce);
  const partial = `${to}.partial`;
  async function* decrypted(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let counter = 0;
    for await (const [chunk, last] of chunked(source, chunkSize + tagSize)) {
      if (chunk.length < tagSize || (last && counter > 0 && chunk.length === tagSize)) throw damaged();
      const decipher = createDecipheriv('chacha20-poly1305', chunkKey, chunkNonce(counter, last), { authTagLength: tagSize });
      counter += 1;
      decipher.setAuthTag(chunk.subarray(chunk.length - tagSize));
      const plain = decipher.update(chunk.subarray(0, chunk.length - tagSize));
      try {
        decipher.final();
      } catch {
        throw damaged();
      }
      yield plain;
    }
  }
  try {
    await pipeline(
      createReadStream(from, { start: size + nonceSize, highWaterMark: 1 << 20 }),
      decrypted,
      createWriteStream(partial, { mode: 0o600, flags: 'wx', highWaterMark: 1 << 20 }),
    );
    await rename(partial, to);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/** Header and file key: a second recipient that keeps the key for itself and adds no stanza learns it from the library. */
async function newHeader(lock: Lock): Promise<{ header: Buffer; fileKey: Uint8Array }> {
  const encrypter = new Encrypter();
  let fileKey: Uint8Array | undefined;
  if (lock.kind === 'scrypt') {
    // a passphrase admits no second recipient (age: scrypt stanzas stand alone), so the key is read back from the header
    encrypter.setPassphrase(lock.passphrase);
  } else {
    for (const recipient of lock.recipients) encrypter.addRecipient(recipient);
    encrypter.addRecipient({
      wrapFileKey(key) {
        fileKey = Uint8Array.from(key);
        return [];
      },
    });
  }
  const whole = await encrypter.encrypt(new Uint8Array());
  // an empty payload is its nonce and the tag of one empty chunk
  const header = Buffer.from(whole.subarray(0, whole.length - nonceSize - tagSize));
  if (lock.kind === 'scrypt') {
    const decrypter = new Decrypter();
    decrypter.addPassphrase(lock.passphrase);
    fileKey = await decrypter.decryptHeader(new Uint8Array(header));
  }
  if (fileKey === undefined) throw new Bug('the age library did not hand over the file key');
  return { header, fileKey };
}

async function openHeader(header: Uint8Array, key: Exclude<Key, { kind: 'file-key' }>): Promise<Uint8Array> {
  const decrypter = new Decrypter();
  if (key.kind === 'passphrase') decrypter.addPassphrase(key.passphrase);
  else for (const identity of key.identities) decrypter.addIdentity(identity);
  try {
    return await decrypter.decryptHeader(header);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (/no identity matched/i.test(text)) {
      const what = key.kind === 'passphrase' ? 'backup-passphrase does not open it' : 'backup-identity is not the secret key of any of its recipients';
      throw unreadable(
        `the backup cannot be decrypted: ${what}`,
        'Give the secret key that belongs to the backup-recipient the backup was made with; nothing was touched.',
      );
    }
    throw damaged();
  }
}

async function readHeader(path: string): Promise<{ header: Uint8Array; size: number }> {
  const start = await readAt(path, 0, headerLimit);
  if (!start.subarray(0, 21).equals(Buffer.from('age-encryption.org/v1')))
    throw unreadable('the backup is not an age file', 'It was replaced or cut to nothing: take it from another copy, or run the phase backup again.');
  const mac = start.indexOf('\n---');
  const end = mac < 0 ? -1 : start.indexOf('\n', mac + 4);
  if (end < 0) throw damaged();
  return { header: new Uint8Array(start.subarray(0, end + 1)), size: end + 1 };
}

async function readAt(path: string, position: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

const unreadable = (message: string, hint: string): BackupRefused => new BackupRefused([block('backup-unreadable', message, { hint })]);
const damaged = (): BackupRefused =>
  unreadable(
    'the backup is truncated or was tampered with: its contents do not authenticate',
    'Do not use this file; take it from another copy, or run the phase backup again.',
  );

const payloadKey = (fileKey: Uint8Array, nonce: Buffer): Buffer => Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32));

/** 11 bytes big-endian counter, then 1 for the last chunk. A counter below 2^48 is 16 exabytes. */
function chunkNonce(counter: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(counter, 5, 6);
  nonce[11] = last ? 1 : 0;
  return nonce;
}

/** Cuts a stream into chunks of one size; only the last, which is marked, may be shorter, and it is empty only when the stream is. */
async function* chunked(source: AsyncIterable<Buffer>, size: number): AsyncGenerator<readonly [Buffer, boolean]> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const part of source) {
    held.push(part);
    length += part.length;
    if (length <= size) continue;
    const all = held.length === 1 ? part : Buffer.concat(held);
    let at = 0;
    for (; all.length - at > size; at += size) yield [all.subarray(at, at + size), false];
    held = [all.subarray(at)];
    length = all.length - at;
  }
  yield [Buffer.concat(held), true];
}

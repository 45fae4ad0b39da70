import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { Aborted, CommandFailed, UserError } from '../../../src/errors.js';
import { execWith } from '../../../src/host/exec.js';
import { redactor } from '../../../src/report/redact.js';

const never = new AbortController().signal;
const node = process.execPath;
const exec = execWith(redactor());
const script = (code: string): string[] => [node, '-e', code];

describe('a child process', () => {
  test('gives back its standard output', async () => {
    await expect(exec(script('process.stdout.write("a b\\n")'), { env: {}, signal: never })).resolves.toEqual({ stdout: 'a b\n' });
  });

  test('is started without a shell: arguments arrive as they are', async () => {
    const { stdout } = await exec([node, '-p', 'process.argv.slice(1).join("|")', '$(id); rm *', '"x"'], { env: {}, signal: never });
    expect(stdout).toBe('$(id); rm *|"x"\n');
  });

  test('inherits nothing but PATH, HOME and LANG', async () => {
    process.env['LOSSLESS_TEST_LEAK'] = 'leak';
    const { stdout } = await exec(script('process.stdout.write(JSON.stringify(Object.keys(process.env).sort()))'), {
      env: { DATABASE_URL: 'x' },
      signal: never,
    });
    delete process.env['LOSSLESS_TEST_LEAK'];
    const names = JSON.parse(stdout) as string[];
    expect(names.filter((name) => !['PATH', 'HOME', 'LANG', 'DATABASE_URL'].includes(name))).toEqual([]);
    expect(names).toContain('DATABASE_URL');
  });

  test('has every line of both streams reported as it comes', async () => {
    const seen: string[] = [];
    await exec(script('console.log("one"); console.error("two"); process.stdout.write("no end")'), {
      env: {},
      signal: never,
      onLine: (line) => seen.push(line),
    });
    expect(seen.sort()).toEqual(['no end', 'one', 'two']);
  });

  test('that fails is an error with its code, its redacted arguments and the last line it wrote', async () => {
    const failing = exec(
      [node, '-e', 'console.error("first"); console.error("no route to postgres://u:hunter22@h/d"); process.exit(7)', 'postgres://u:hunter22@h/d'],
      { env: {}, signal: never },
    );
    const error = await failing.then(
      () => null,
      (thrown: unknown) => thrown as CommandFailed,
    );
    expect(error).toBeInstanceOf(CommandFailed);
    expect(error?.exitCode).toBe(7);
    expect(error?.lastLine).toBe('no route to postgres://u:***@h/d');
    expect(error?.argv.at(-1)).toBe('postgres://u:***@h/d');
  });

  test("that does not exist is the user's to correct", async () => {
    await expect(exec(['/nowhere/pg_dump'], { env: {}, signal: never })).rejects.toBeInstanceOf(UserError);
  });

  test('reads what it is given on standard input, and may stop reading early', async () => {
    const { stdout } = await exec(script('process.stdin.pipe(process.stdout)'), { env: {}, signal: never, stdin: Readable.from(['x', 'y']) });
    expect(stdout).toBe('xy');
    await exec(script('process.exit(0)'), {
      env: {},
      signal: never,
      stdin: Readable.from(
        (function* () {
          for (let i = 0; i < 200; i++) yield Buffer.alloc(65536);
        })(),
      ),
    });
  });

  test("can have its output consumed as a stream, and the consumer's failure is the error", async () => {
    let got = '';
    const { stdout } = await exec(script('process.stdout.write("z".repeat(300000))'), {
      env: {},
      signal: never,
      stdout: async (stream) => {
        got = await text(stream);
      },
    });
    expect([got.length, stdout]).toEqual([300_000, '']);
    const broken = exec(script('setInterval(() => process.stdout.write("z".repeat(65536)), 1)'), {
      env: {},
      signal: never,
      stdout: () => Promise.reject(new Error('disk full')),
    });
    await expect(broken).rejects.toThrow('disk full');
  });

  test('gets the interrupt together with all it forked, and the error is Aborted', async () => {
    const controller = new AbortController();
    const inner = 'setInterval(() => {}, 1000)';
    const outer = `const c = require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(inner)}]); console.log(c.pid); process.on("SIGINT", () => { console.log("interrupted"); process.exit(0) })`;
    const seen: string[] = [];
    let inside = 0;
    const running = exec(script(outer), {
      env: {},
      signal: controller.signal,
      onLine: (line) => {
        seen.push(line);
        if (/^\d+$/.test(line)) {
          inside = Number(line);
          setTimeout(() => {
            controller.abort();
          }, 100);
        }
      },
    });
    await expect(running).rejects.toBeInstanceOf(Aborted);
    expect(seen).toContain('interrupted');
    // its parent is gone: somebody else reaps it, in its own time
    for (let i = 0; alive(inside) && i < 100; i += 1) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(alive(inside)).toBe(false);
  });

  test('that ignores the interrupt is ended before the runner would kill us', async () => {
    const controller = new AbortController();
    const began = Date.now();
    const running = exec(script('process.on("SIGINT", () => {}); process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)'), {
      env: {},
      signal: controller.signal,
      onLine: () => {
        controller.abort();
      },
    });
    await expect(running).rejects.toBeInstanceOf(Aborted);
    expect(Date.now() - began).toBeLessThan(7500);
  });

  test('does not start when the work was cancelled already', async () => {
    await expect(exec([node, '-e', ''], { env: {}, signal: AbortSignal.abort() })).rejects.toBeInstanceOf(Aborted);
  });
});

/** A zombie still has an entry; it is not running. */
function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Takes secrets out of text that is about to be printed or stored. */
export interface Redactor {
  (text: string): string;
  /** From now on `secret` never appears; shorter than four characters it is left to the URL rule, since removing it would blank ordinary words. */
  add(secret: string): void;
}

const MASK = '***';

/** Password of every URL in `text`: `scheme://user:password@` loses what stands between the colon and the last @ of the authority. */
const redactUrls = (text: string): string => text.replace(/\b([a-z][a-z0-9+.-]*:\/\/[^\s/:@'"]*):[^\s/'"]*@/gi, `$1:${MASK}@`);

/** age secret keys are recognisable wherever they turn up. */
const ageKeys = /AGE-SECRET-KEY-[A-Z0-9-]+/g;

export function redactor(): Redactor {
  const secrets = new Set<string>();
  let pattern: RegExp | null = null;
  const redact = (text: string): string => {
    const known = pattern === null ? text : text.replace(pattern, MASK);
    return redactUrls(known).replace(ageKeys, MASK);
  };
  return Object.assign(redact, {
    add(secret: string): void {
      for (const form of [secret, ...secret.split('\n')].map((s) => s.trim())) if (form.length >= 4) secrets.add(form);
      // Longest first: the whole URL goes before the password inside it.
      const forms = [...secrets].sort((a, b) => b.length - a.length).map((s) => s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
      pattern = forms.length === 0 ? null : new RegExp(forms.join('|'), 'g');
    },
  });
}

/**
 * Every form in which a secret may turn up in output: the runner masks by exact match and does not know the pieces of a URL (PLATFORM A12).
 * For a connection URL: the whole, `user:password` and the password, each also decoded, re-encoded and as libpq quotes it. Else the text itself and its lines.
 */
export function secretForms(secret: string): readonly string[] {
  const forms = new Set<string>([secret, ...secret.split('\n')]);
  const url = /^[a-z][a-z0-9+.-]*:\/\/(?:([^/?#]*)@)?/i.exec(secret);
  const query = [...secret.matchAll(/[?&]password=([^&#]*)/gi)].map((m) => m[1] ?? '');
  const userinfo = url?.[1] ?? '';
  const colon = userinfo.indexOf(':');
  const user = colon < 0 ? userinfo : userinfo.slice(0, colon);
  for (const raw of [colon < 0 ? '' : userinfo.slice(colon + 1), ...query]) {
    if (raw === '') continue;
    const decoded = decode(raw);
    for (const form of [raw, decoded, encodeURIComponent(decoded), decoded.replace(/[\\']/g, '\\$&')]) {
      forms.add(form);
      if (user !== '') {
        forms.add(`${user}:${form}`);
        forms.add(`${decode(user)}:${form}`);
      }
    }
  }
  return [...forms].map((form) => form.trim()).filter((form) => form !== '');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The same value with every text inside it redacted. */
export function redactAll<T>(value: T, redact: (text: string) => string): T {
  if (typeof value === 'string') return redact(value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => redactAll(item, redact)) as T;
  if (value !== null && typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactAll<unknown>(item, redact)])) as T;
  return value;
}

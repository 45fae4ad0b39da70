// Runs one phase in a process of its own and ends that process at a chosen event: the journal's write, or a moment of the swap.
// KILL = {"signal": "SIGKILL" | "SIGINT", "type": "journal-written" | "swap", "step": "…", "nth": 1, "moment"?: "before" | "sent" | "after"}; absent: nothing is killed, events are counted.
import { writeFileSync } from 'node:fs';
import { inTerminal } from '../../lib/host/local.js';
import { run } from '../../lib/run.js';

const [phase, plan, store, countFile] = process.argv.slice(2);
const kill = JSON.parse(process.env['KILL'] ?? 'null');
const seen = [];
await inTerminal({ phase, flags: { plan, store }, now: null, outputFile: null, reportDir: null }, (host, name) =>
  run(
    {
      ...host,
      report(event) {
        host.report(event);
        if ((event.type !== 'journal-written' && event.type !== 'swap') || event.step === null) return;
        seen.push(event);
        if (countFile !== undefined) writeFileSync(countFile, JSON.stringify(seen));
        if (kill === null || event.type !== kill.type || event.step !== kill.step) return;
        const alike = seen.filter((e) => e.type === kill.type && e.step === kill.step && (kill.moment === undefined || e.moment === kill.moment));
        if (alike.length === kill.nth && (kill.moment === undefined || event.moment === kill.moment)) process.kill(process.pid, kill.signal);
      },
    },
    name,
  ),
);

import { CommandFailed, UserError, type Failure } from '../errors.js';
import type { GitHub } from '../ports.js';

const MAX_BODY = 60_000;

/**
 * The GitHub REST API of this repository, with the permissions the job gave the token.
 * @param repository owner/name
 * @param runId this run, whose approvals are asked for
 */
export function githubApi(token: string, repository: string, runId: string): GitHub {
  const [owner = '', repo = ''] = repository.split('/');
  const octokit = (async () => (await import('@actions/github')).getOctokit(token))();
  octokit.catch(() => undefined);

  return {
    async requiredReviewers(environment) {
      const { rest } = await octokit;
      const found = await orMissing(
        () => rest.repos.getEnvironment({ owner, repo, environment_name: environment }),
        `environment ${environment}`,
        'actions: read',
      );
      return (found?.data.protection_rules ?? []).flatMap((rule) =>
        'reviewers' in rule && rule.type === 'required_reviewers'
          ? (rule.reviewers ?? []).map(({ reviewer }) => (reviewer === undefined ? 'somebody' : 'login' in reviewer ? reviewer.login : `team ${reviewer.slug}`))
          : [],
      );
    },

    async approvals(environment) {
      const { rest } = await octokit;
      const found = await orMissing(() => rest.actions.getReviewsForRun({ owner, repo, run_id: Number(runId) }), `approvals of run ${runId}`, 'actions: read');
      return (found?.data ?? [])
        .filter((one) => one.state === 'approved' && one.environments.some((e) => e.name === environment))
        .map((one) => ({ by: one.user.login, at: '' }));
    },

    async raiseIssue(title, text) {
      const { rest, paginate } = await octokit;
      const body = text.length > MAX_BODY ? `${text.slice(0, MAX_BODY)}\n\nThe rest is in the report artifact.` : text;
      return attempt(
        async () => {
          for await (const { data } of paginate.iterator(rest.issues.listForRepo, { owner, repo, state: 'open', per_page: 100 })) {
            const same = data.find((issue) => issue.title === title && issue.pull_request === undefined);
            if (same === undefined) continue;
            const { data: comment } = await rest.issues.createComment({ owner, repo, issue_number: same.number, body });
            return comment.html_url;
          }
          const { data: issue } = await rest.issues.create({ owner, repo, title, body });
          return issue.html_url;
        },
        'issues',
        'issues: write',
      );
    },
  };
}

/** null when GitHub says that it does not exist (an environment that nobody made, a plan without environments). */
async function orMissing<T>(work: () => Promise<T>, what: string, permission: string): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (statusOf(error) === 404) return null;
    throw explain(error, what, permission);
  }
}

async function attempt<T>(work: () => Promise<T>, what: string, permission: string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explain(error, what, permission);
  }
}

const statusOf = (error: unknown): number => (error instanceof Error && 'status' in error && typeof error.status === 'number' ? error.status : 0);

function explain(error: unknown, what: string, permission: string): Failure {
  const status = statusOf(error);
  if (status === 401 || status === 403) {
    return new UserError(`the token may not use ${what}`, {
      hint: `Give the job \`permissions: ${permission}\` and pass github-token: \${{ github.token }}.`,
      cause: error,
    });
  }
  return new CommandFailed(['GitHub API', what], status, error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error), { cause: error });
}

/** RFC 9457 problems, as errors. */

export interface ProblemBody {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
  request_id?: string;
  field?: string;
}

export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId: string | undefined;
  readonly field: string | undefined;

  constructor(status: number, body: ProblemBody) {
    const title = body.title ?? 'The server refused this';
    super(title);
    this.name = 'Problem';
    this.status = status;
    this.code = body.code ?? `http.${status}`;
    this.detail = body.detail ?? '';
    this.requestId = body.request_id;
    this.field = body.field;
  }
}

export const unreachable = (): Problem =>
  new Problem(0, {
    title: 'The server does not answer',
    detail: 'Nothing was changed. Check the connection, then try again.',
    code: 'network.unreachable',
  });

export async function problemFrom(response: Response): Promise<Problem> {
  try {
    return new Problem(response.status, (await response.json()) as ProblemBody);
  } catch {
    return new Problem(response.status, { title: `The server answered ${response.status}` });
  }
}

/** Whatever was thrown, as a problem that can be shown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, {
    title: 'The console met a fault of its own',
    detail: error instanceof Error ? error.message : String(error),
    code: 'console.fault',
  });
}

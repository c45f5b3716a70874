/** Painting: entering a job, following it while it is painted, cancelling it. */
import { call, listen } from './call';
import type { Job, Made, Models, Picture } from './contract';
import { uuid7 } from './uuid7';

export interface Wish {
  prompt: string;
  negative_prompt?: string;
  model?: string;
  n?: number;
  size?: string;
  steps?: number;
  guidance?: number;
  seed?: number;
  critique?: boolean;
  again_of?: string;
}

const ENDED = new Set(['finished', 'failed', 'cancelled']);

/** A job as it is now: its pictures that are ready, and the last preview of each that is not. */
export class Painting {
  job = $state.raw<Job>() as Job;
  previews = $state.raw<Record<number, string>>({});
  step = $state(0);
  position = $state<number | null>(null);
  #events: EventSource | null = null;
  #settled!: () => void;
  /** Resolves when the job has ended, however it ended. */
  readonly ended: Promise<void>;

  constructor(job: Job) {
    this.job = job;
    this.position = job.position;
    this.ended = new Promise((resolve) => (this.#settled = resolve));
    if (ENDED.has(job.state)) this.#settled();
    else this.#follow();
  }

  get over(): boolean {
    return ENDED.has(this.job.state);
  }

  get share(): number {
    return this.over ? 1 : this.step / Math.max(1, this.job.steps);
  }

  picture(place: number): Made | undefined {
    return this.job.pictures.find((picture) => picture.place === place);
  }

  #follow(): void {
    const end = ({ job }: { job: Job }): void => this.#end(job);
    const events = listen(`/api/v1/jobs/${this.job.id}/events`, {
      queued: ({ position }: { position: number }) => (this.position = position),
      progress: ({ step }: { step: number }) => {
        this.position = null;
        this.step = Math.max(this.step, step);
      },
      preview: ({ place, image }: { place: number; image: string }) => (this.previews = { ...this.previews, [place]: image }),
      picture: ({ picture }: { picture: Made }) => this.#add(picture),
      ...Object.fromEntries([...ENDED].map((name) => [name, end])),
    });
    this.#events = events;
    // A stream that breaks is taken up again by the browser; one that the server refuses is asked for the plain way.
    events.onerror = () => {
      if (events.readyState === EventSource.CLOSED) void this.#ask();
    };
  }

  async #ask(): Promise<void> {
    try {
      const job = await call<Job>('GET', `/api/v1/jobs/${this.job.id}`);
      if (ENDED.has(job.state)) this.#end(job);
      else this.job = job;
    } catch {
      // The next visit shows what became of it.
    }
    if (!this.over) setTimeout(() => void this.#ask(), 2000);
  }

  #add(picture: Made): void {
    this.job = { ...this.job, pictures: [...this.job.pictures.filter((other) => other.id !== picture.id), picture] };
  }

  #end(job: Job): void {
    this.#events?.close();
    this.job = job;
    this.previews = {};
    this.#settled();
  }

  /** Change one of the pictures as it is shown. */
  update(picture: Made): void {
    this.job = { ...this.job, pictures: this.job.pictures.map((other) => (other.id === picture.id ? picture : other)) };
  }

  async cancel(): Promise<void> {
    this.#end(await call<Job>('DELETE', `/api/v1/jobs/${this.job.id}`));
  }

  close(): void {
    this.#events?.close();
  }
}

/** Have pictures painted. A lost answer to this request makes no second job: the key is sent with it. */
export async function paint(wish: Wish): Promise<Painting> {
  return new Painting(await call<Job>('POST', '/api/v1/jobs', wish, { 'Idempotency-Key': uuid7() }));
}

/** Other noise near the seed that pleased: the words are kept, the seeds go on from it. */
export function variationsOf(made: Pick<Picture, 'prompt' | 'negative_prompt' | 'steps' | 'guidance'>, seed: number): Wish {
  const { prompt, negative_prompt, steps, guidance } = made;
  return { prompt: prompt ?? '', negative_prompt: negative_prompt ?? '', steps, guidance, n: 4, seed: seed + 1000 };
}

/** The person's jobs, the newest first. */
export async function recent(limit: number): Promise<Job[]> {
  return (await call<{ jobs: Job[] }>('GET', `/api/v1/jobs?limit=${limit}`)).jobs;
}

/** The models that can be asked for, by name and in words. */
export function choicesOf(models: Models | null): [string, string][] {
  return [
    ['base', 'Base'],
    ['champion', 'Live model'],
    ...(models?.challenger && models.may_try ? [['challenger', 'Challenger']] : []),
    ...(models?.previous ? [['previous', 'Previous']] : []),
  ] as [string, string][];
}

/** The same words and the same noise on two models, as two pictures by id: what differs is the model. */
export async function paintBoth(prompt: string, first: string, second: string): Promise<[string, string]> {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const works = await Promise.all([first, second].map((model) => paint({ prompt, model, seed, n: 1 })));
  await Promise.all(works.map((work) => work.ended));
  const [one, other] = works.map((work) => {
    if (work.job.state !== 'finished') throw new Error(work.job.error?.message ?? 'It was not painted.');
    return work.job.pictures[0]!.id;
  });
  return [one!, other!];
}

/** The gallery's pages, and the pictures that can be rated without network. */
import { address, call } from './call';
import type { Picture } from './contract';
import { keep, kept } from './outbox';
import { attempt } from './toasts.svelte';

export interface Filter {
  order: string;
  low: string;
  high: string;
  checkpoint: string;
  answered: string;
  favourite: string;
}

export const EVERYTHING: Filter = { order: 'newest', low: '', high: '', checkpoint: '', answered: '', favourite: '' };

interface GalleryPage {
  pictures: Picture[];
  next: string | null;
}

export function page(filter: Partial<Filter>, after = '', limit = 48): Promise<GalleryPage> {
  const { checkpoint = '', ...rest } = filter;
  const query = { ...rest, ...(checkpoint === 'base' ? { checkpoint: '' } : { checkpoint }), after, limit };
  const asked = address('/api/v1/gallery', query);
  // The base itself has an empty name, which only a parameter that is there can say.
  return call<GalleryPage>('GET', checkpoint === 'base' ? `${asked}&checkpoint=` : asked);
}

/** Make a picture a favourite, or none any more. It is shown so at once; when the server refuses, as before. */
export async function favour<Shown extends { id: string; favourite: boolean }>(picture: Shown, show: (picture: Shown) => void): Promise<void> {
  const favourite = !picture.favourite;
  show({ ...picture, favourite });
  if (!(await attempt(() => call('PUT', `/api/v1/gallery/${picture.id}/favourite`, { favourite })))) show(picture);
}

const QUEUE = 'queue';
const MOST = 40;

/** Keep unrated pictures on this device, so that they can be rated without network. */
export async function fillQueue(): Promise<void> {
  const { pictures } = await page({ answered: 'false' }, '', MOST);
  const safe = pictures.filter((picture) => picture.safety === 'ok' && picture.url);
  await keep(QUEUE, safe);
  for (const picture of safe) new Image().src = picture.url!;
}

/** What was kept, without those that were rated meanwhile. */
export async function queue(): Promise<Picture[]> {
  const pictures = (await kept<Picture[]>(QUEUE)) ?? [];
  const done = new Set((await kept<string[]>('rated')) ?? []);
  return pictures.filter((picture) => !done.has(picture.id));
}

/** Note that a picture was rated on this device. */
export async function markRated(id: string): Promise<void> {
  const done = (await kept<string[]>('rated')) ?? [];
  await keep('rated', [...done.slice(-500), id]);
}

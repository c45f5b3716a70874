/** Which view is shown: the fragment of the address, such as `#/gallery?facet=coherence`. Loads nothing. */
export const VIEWS = {
  make: 'Make',
  gallery: 'Gallery',
  picture: 'Picture',
  rate: 'Rate',
  duel: 'Duel',
  rank: 'Rank',
  compare: 'Compare',
  study: 'Studies',
  rooms: 'Critique',
  operate: 'Operate',
  models: 'Models',
  runs: 'Runs',
  me: 'Me',
  login: 'Log in',
  setup: 'Set up',
  'sign-up': 'Sign up',
} as const;

export type View = keyof typeof VIEWS;

interface Place {
  view: View;
  rest: string;
  query: URLSearchParams;
}

function read(): Place {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [first = '', ...rest] = path.split('/');
  return { view: first in VIEWS ? (first as View) : 'make', rest: rest.join('/'), query: new URLSearchParams(query) };
}

class Router {
  place = $state.raw<Place>(read());

  constructor() {
    addEventListener('hashchange', () => {
      this.place = read();
    });
  }

  /** Go to a view; `replace` leaves no step to go back to. */
  go(view: View, query: Record<string, string> = {}, { rest = '', replace = false } = {}): void {
    const target = link(view, query, rest);
    if (replace) {
      history.replaceState(null, '', target);
      this.place = read();
    } else location.hash = target;
  }
}

/** The address of a view, for a link. */
export function link(view: View, query: Record<string, string> = {}, rest = ''): string {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== '')).toString();
  return `#/${view}${rest ? `/${rest}` : ''}${asked ? `?${asked}` : ''}`;
}

export const router = new Router();

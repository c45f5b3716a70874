/** What a form's answer may look like: its mark, when it asks on, whether it is complete. Pure; the server checks again. */
import type { Field, Form, Payload, Value } from '../lib/contract';

function numeric(value: Value | undefined): number | null {
  if (typeof value === 'number') return value;
  return typeof value === 'boolean' ? Number(value) : null;
}

/** The answer as one number, or null while there is none. */
export function markOf(form: Form, payload: Payload): number | null {
  if (form.mark === null) return null;
  if (form.mark !== 'mean') return numeric(payload[form.mark]);
  const set = form.fields.filter((field) => field.type === 'scale').flatMap((field) => numeric(payload[field.name]) ?? []);
  return set.length ? set.reduce((sum, value) => sum + value, 0) / set.length : null;
}

/** Whether a field is a question of its own; words and boxes only go with one. A flag that must be set is a thumb. */
export function asks(field: Field): boolean {
  return field.type === 'scale' || field.type === 'choice' || field.type === 'order' || (field.type === 'flag' && field.required);
}

/** Whether the form's questions are answered: only then may it ask on. */
export function answered(form: Form, payload: Payload): boolean {
  return form.fields.filter(asks).every((field) => payload[field.name] !== undefined);
}

/** The fields to show: "what was wrong?" only after a low mark. */
export function shownFields(form: Form, payload: Payload): Field[] {
  const mark = markOf(form, payload);
  const low = form.follow_up && mark !== null && answered(form, payload) && mark <= form.follow_up.at_most;
  if (!low) return form.fields;
  const names = new Set(form.follow_up!.fields.map((field) => field.name));
  return [...form.fields.filter((field) => !names.has(field.name)), ...form.follow_up!.fields];
}

/** Whether it can be given: something was said, and nothing that is required is missing. */
export function complete(form: Form, payload: Payload, pictures: number): boolean {
  const said = form.fields.filter(asks).some((field) => payload[field.name] !== undefined);
  return said && form.fields.every((field) => filled(field, payload[field.name], pictures));
}

function filled(field: Field, value: Value | undefined, pictures: number): boolean {
  if (field.type === 'order') return typeof value === 'object' && Object.keys(value).length === pictures;
  return !('required' in field && field.required) || value !== undefined;
}

/** What is sent: without empty texts and lists, and without answers to questions that are no longer asked. */
export function cleaned(form: Form, payload: Payload): Payload {
  const kept: Payload = {};
  for (const field of shownFields(form, payload)) {
    const value = payload[field.name] ?? (field.type === 'flag' ? false : undefined);
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    if (typeof value === 'string' && value.trim() === '') continue;
    kept[field.name] = value;
  }
  return kept;
}

/** A form that is one choice is given by choosing, unless a low mark makes it ask on. */
export function givenByChoosing(form: Form, payload: Payload): boolean {
  return isOneChoice(form) && shownFields(form, payload) === form.fields;
}

/** Whether the form is one choice, or one thumb, and words at most. */
export function isOneChoice(form: Form): boolean {
  const questions = form.fields.filter((field) => field.type !== 'text');
  return questions.length === 1 && asks(questions[0]!) && ['choice', 'flag'].includes(questions[0]!.type);
}

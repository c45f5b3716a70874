/** The records that the server speaks in, by short names: made from its OpenAPI (`npm run types`), narrowed where it is wider. */
import type { components } from '../api';

type Schemas = components['schemas'];

export type Me = Schemas['Me'];
export type Consent = Schemas['ConsentView'];
export type Asking = Schemas['AskingView'];
export type Session = Schemas['SessionState'];
export type Job = Schemas['JobView'];
export type JobState = Job['state'];
export type Live = Schemas['LiveView'];
export type Models = Schemas['ModelsView'];
export type Ask = Schemas['AskView'];
export type Duel = Schemas['DuelView'];
export type Side = Duel['left'];
export type Ranking = Schemas['RankingView'];
export type Review = Schemas['ReviewView'];
export type Outcome = Schemas['AnswerOutcome'];
export type Budget = Schemas['BudgetView'];
export type Decision = Schemas['DecisionView'];
export type Profile = Schemas['ProfileView'];
export type PointEntry = Schemas['PointEntryView'];
export type RaterReport = Schemas['RaterView'];
export type Bin = Schemas['Bin'];
export type Repeats = Schemas['RepeatsView'];
export type ApiKey = Schemas['KeyView'];
export type Device = Schemas['SessionView'];
export type User = Schemas['UserView'];
export type Receipt = Schemas['ReceiptView'];
export type Option = Omit<Schemas['OptionView'], 'value'> & { value: string | boolean };

/** A picture as it comes out of a job, as the gallery tells of it, and as somebody is asked about it. */
export type Made = Schemas['MadePicture'];
export type Picture = Omit<Schemas['GalleryPicture'], 'answers'> & { answers: Answer[] };
export type Asked = Schemas['AskedPicture'];
/** What showing one needs. */
export type Seen = Pick<Asked, 'url' | 'blurred' | 'safety_reason'> & Partial<Pick<Asked, 'width' | 'height' | 'thumbnail_url'>>;

export type Kind = Schemas['SentAnswer']['kind'];
export type Value = string | number | boolean | string[] | Record<string, number>;
export type Payload = Record<string, Value>;
export type Answer = Omit<Schemas['AnswerView'], 'payload'> & { payload: Payload };
export type SentAnswer = Required<Omit<Schemas['SentAnswer'], 'payload'>> & { payload: Payload };

/** What a form asks for: the server's one record for all kinds of fields, told apart by `type`. */
export type Field =
  | { type: 'scale'; name: string; label: string; low: string; high: string; least: number; most: number; required: boolean }
  | { type: 'choice'; name: string; label: string; options: Option[]; required: boolean }
  | { type: 'flag'; name: string; label: string; required: boolean }
  | { type: 'several'; name: string; label: string; options: Option[] }
  | { type: 'text'; name: string; label: string; most: number }
  | { type: 'order'; name: string; label: string; least: number; most: number };

export type ScaleField = Extract<Field, { type: 'scale' }>;

export type Form = Omit<Schemas['FormView'], 'fields' | 'follow_up'> & {
  fields: Field[];
  follow_up: { at_most: number; fields: Field[] } | null;
};

export type Forms = Omit<Schemas['FormsView'], 'forms'> & { forms: Form[] };

export type Run = Schemas['RunView'];
export type RunDetail = Schemas['RunDetail'];
export type RunOptions = Schemas['RunOptions'];
export type Progress = Run['progress'];
export type Curve = RunDetail['curves'][number];
export type Metric = RunDetail['metrics'][number];
export type Study = Schemas['StudyView'];
export type Pair = Schemas['PairView'];
export type StudyRow = Schemas['StudyRow'];
export type StudyReport = Schemas['StudyReportView'];
export type WaitingReport = Schemas['WaitingReport'];
export type AuditEntry = Schemas['AuditView'];
export type Room = Schemas['RoomView'];
export type RoomDetail = Schemas['RoomDetail'];
export type Taste = Schemas['TasteView'];
export type Gold = Schemas['GoldView'];
export type GoldRecord = Schemas['GoldRecordView'];
export type Trial = Schemas['TrialView'];
export type Trying = Schemas['TryingView'];

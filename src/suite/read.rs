//! The only file that reads: suites, what they extend, server files and the project's instruments. Everything a suite
//! refers to must be a regular file below the project's root after symbolic links are followed, and small.

#![expect(clippy::disallowed_methods, reason = "suites and instruments are read here and nowhere else")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::catalog::{Catalog, Kind};
use super::judge_files::{self, JudgePacks, Text};
use super::made::MadeSuite;
use super::resolve::{self, Inputs, Layer, Resolved};
use super::text_or::TextOr;
use super::wire::Document;
use super::{Suite, builtin, tls, yaml};
use crate::auth::issuer::StableKey;
use crate::diag::{Diagnostic, Located, Origin, suggest};
use crate::ids::{ClientName, ModelName};
use crate::net::Tls;
use crate::net::pem::Wanted;
use crate::score::judge::calibration::Calibrations;
use crate::score::judge::labels::LabelFile;

/// Longest chain of `extends`.
const MAX_LAYERS: usize = 16;
/// Most files of one folder of instruments or suites that are looked at.
const MAX_FILES: usize = 2_000;

/// A folder with `suites/` and `evals/`.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
    made: Option<MadeSuite>,
}

/// What the command line adds to a suite.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Models it names. Those the suite does not list are looked up in the catalog or as `provider:id`, and the whole
    /// list then replaces the models of cases that name none.
    pub models: Vec<ModelName>,
    /// Client profiles it names, some with their layers. Those the suite does not list are looked up in the catalog,
    /// and the whole list then replaces the clients of cases that name none.
    pub clients: Vec<ClientName>,
}

/// A suite, or why there is none.
#[derive(Debug)]
pub struct Loaded {
    /// The suite; `None` when a diagnostic is an error.
    pub suite: Option<Suite>,
    /// Errors and warnings, in the order of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// Every text that was read, by the path that diagnostics name.
    pub sources: BTreeMap<Arc<str>, Arc<str>>,
}

impl Project {
    /// The project in this folder.
    pub fn new(root: PathBuf) -> Self {
        Self { root, made: None }
    }

    /// The same project with a suite that exists in no file.
    #[must_use]
    pub fn with(self, made: Option<MadeSuite>) -> Self {
        Self { made, ..self }
    }

    /// The text of the made suite, by its path.
    fn made(&self, path: &Path) -> Option<&MadeSuite> {
        self.made.as_ref().filter(|made| path == Path::new(&*made.file))
    }

    /// The file of a suite: a path, or the name of a file under `suites/`.
    pub fn find(&self, arg: &str) -> Result<PathBuf, Diagnostic> {
        if let Some(made) = self.made(Path::new(arg)) {
            return Ok(PathBuf::from(&*made.file));
        }
        let named = ["yaml", "yml"].map(|end| self.root.join("suites").join(format!("{arg}.{end}")));
        let paths = [self.root.join(arg), PathBuf::from(arg)];
        if let Some(path) = paths.into_iter().chain(named).find(|path| path.is_file()) {
            return Ok(path);
        }
        if arg == "bookshop" || arg == builtin::DEMO_FILE {
            return Ok(self.root.join(builtin::DEMO_FILE));
        }
        let names = self.list();
        let stem = Path::new(arg).file_stem().map_or(arg.into(), |stem| stem.to_string_lossy());
        if self.root.join(arg).is_dir() {
            return Err(Diagnostic::global("suite.not-found", format!("`{arg}` is a folder, not a suite"))
                .hint("name a file in it; without a name every suite under `suites/` is meant"));
        }
        let message = format!("there is no suite `{arg}`");
        Err(Diagnostic::global("suite.not-found", message)
            .hint(suggest::hint(&stem, names.iter().map(String::as_str)))
            .hint("give a path, or the name of a file in `suites/`"))
    }

    /// The names of the suites under `suites/`, sorted; the embedded demonstration alone when there are none.
    pub fn list(&self) -> Vec<String> {
        let files = yaml_files(&self.root.join("suites"));
        if files.is_empty() {
            return vec!["bookshop".to_owned()];
        }
        files.into_iter().map(|(name, _)| name).collect()
    }

    /// Reads a suite and everything it refers to. Finds as many mistakes as it can.
    pub fn load(&self, path: &Path, request: &Request) -> Loaded {
        let mut reader = Reader { project: self, sources: BTreeMap::new(), diagnostics: vec![] };
        let Some(layers) = reader.layers(path) else {
            let Reader { sources, diagnostics, .. } = reader;
            return Loaded { suite: None, diagnostics, sources };
        };
        let servers = reader.servers(&layers);
        let tls = reader.tls(&layers);
        let key = reader.issuer_key(&layers);
        let catalog = self.catalog();
        let Reader { sources, mut diagnostics, .. } = reader;
        let Resolved { suite, diagnostics: found, sources } =
            resolve::suite(Inputs { layers, servers, tls, key, catalog: &catalog, request, sources });
        let broken = !diagnostics.is_empty();
        diagnostics.extend(found);
        Loaded { suite: suite.filter(|_| !broken), diagnostics, sources }
    }

    /// What the program embeds, overlaid by the project's `evals/`.
    pub fn catalog(&self) -> Catalog {
        let mut catalog = Catalog::embedded();
        for kind in Kind::ALL {
            for (name, path) in yaml_files(&self.root.join("evals").join(kind.folder())) {
                let file = self.shown(&path);
                let start = Origin { file: file.clone(), line: 1, column: 1 };
                let text = self
                    .inside(&path)
                    .and_then(|path| read_text(&path, &file))
                    .map_err(|problem| problem.at(&start));
                catalog.overlay(kind, &name, &file, text);
            }
        }
        catalog
    }

    /// Frozen transcripts and attacks for judges: the project's own in `evals/judge`, or what the program embeds.
    pub fn judge_packs(&self) -> Result<JudgePacks, Vec<Diagnostic>> {
        let one = |name: &str| self.judge_file(name).map_err(|error| vec![error]);
        judge_files::packs(&one("frozen")?, &one("mutations")?)
    }

    fn judge_file(&self, name: &str) -> Result<Text, Diagnostic> {
        let path = self.root.join("evals/judge").join(format!("{name}.yaml"));
        match judge_files::embedded(name).filter(|_| !path.exists()) {
            Some(text) => Ok(Text { file: format!("evals/judge/{name}.yaml").into(), text: text.into() }),
            None => self.own(&path),
        }
    }

    /// What is known of the judges that use a rubric; `None` when nobody has calibrated any.
    pub fn calibrations(&self, rubric: &str) -> Result<Option<Calibrations>, Diagnostic> {
        let Some(path) = self.calibration_file(rubric).filter(|path| path.exists()) else { return Ok(None) };
        judge_files::calibrations(&self.own(&path)?).map(Some)
    }

    /// Where the calibrations of a rubric are; `None` for a rubric whose name is no file name.
    pub fn calibration_file(&self, rubric: &str) -> Option<PathBuf> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let named = !rubric.is_empty() && rubric.len() <= 100 && rubric.chars().all(plain);
        named.then(|| self.root.join("evals/rubrics").join(format!("{rubric}.calibration.json")))
    }

    /// Labels of people, wherever the file is.
    pub fn labels(&self, path: &Path) -> Result<LabelFile, Diagnostic> {
        let file = self.shown(path);
        let start = Origin { file: file.clone(), line: 1, column: 1 };
        let text = read_text(path, &file).map_err(|problem| problem.at(&start))?;
        judge_files::labels(&Text { file, text })
    }

    /// A file of the project.
    fn own(&self, path: &Path) -> Result<Text, Diagnostic> {
        let file = self.shown(path);
        let start = Origin { file: file.clone(), line: 1, column: 1 };
        let text = self.inside(path).and_then(|path| read_text(&path, &file));
        Ok(Text { text: text.map_err(|problem| problem.at(&start))?, file })
    }

    /// The path as diagnostics show it: relative to the project where possible.
    fn shown(&self, path: &Path) -> Arc<str> {
        let real =
            || Some(path.canonicalize().ok()?.strip_prefix(self.root.canonicalize().ok()?).ok()?.to_owned());
        let short = path.strip_prefix(&self.root).map(Path::to_owned).ok().or_else(real);
        let shown = short.unwrap_or_else(|| path.to_owned()).to_string_lossy().into_owned();
        Arc::from(shown.strip_prefix("./").unwrap_or(&shown))
    }

    /// The real path, if it is inside the project.
    fn inside(&self, path: &Path) -> Result<PathBuf, Problem> {
        let real = path.canonicalize().map_err(|error| Problem::NotFound(error.to_string()))?;
        let root = self.root.canonicalize().map_err(|error| Problem::NotFound(error.to_string()))?;
        if real.starts_with(root) { Ok(real) } else { Err(Problem::Outside) }
    }
}

/// Why a file was not read.
enum Problem {
    NotFound(String),
    Outside,
    NotAFile,
    Content(Diagnostic),
}

impl Problem {
    /// As a diagnostic at the place that names the file.
    fn at(self, at: &Origin) -> Diagnostic {
        let error = |code, message: &str| Diagnostic::error(code, at.clone(), message);
        match self {
            Self::NotFound(why) => error("suite.not-found", &format!("the file cannot be read: {why}")),
            Self::Outside => error("suite.outside-project", "the file lies outside the project")
                .hint("only files below the project's folder may be named, symbolic links included"),
            Self::NotAFile => error("suite.not-a-file", "this is not a regular file"),
            Self::Content(diagnostic) => diagnostic,
        }
    }
}

fn read_text(path: &Path, file: &Arc<str>) -> Result<Arc<str>, Problem> {
    let not_found = |error: std::io::Error| Problem::NotFound(plain(&error));
    // A pipe would wait for ever and a device would never end.
    if !std::fs::metadata(path).map_err(not_found)?.is_file() {
        return Err(Problem::NotAFile);
    }
    let mut bytes = vec![];
    let limit = yaml::MAX_BYTES as u64 + 1;
    std::fs::File::open(path).map_err(not_found)?.take(limit).read_to_end(&mut bytes).map_err(not_found)?;
    yaml::decode(file, &bytes).map(Arc::from).map_err(Problem::Content)
}

fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Name and path of every YAML file in a folder, sorted.
fn yaml_files(folder: &Path) -> Vec<(String, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let mut files: Vec<(String, PathBuf)> = entries
        .take(MAX_FILES)
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let end = path.extension()?.to_str()?;
            let name = path.file_stem()?.to_str()?.to_owned();
            (matches!(end, "yaml" | "yml") && !name.starts_with('.')).then_some((name, path))
        })
        .collect();
    files.sort();
    files.dedup_by(|later, earlier| later.0 == earlier.0);
    files
}

struct Reader<'a> {
    project: &'a Project,
    sources: BTreeMap<Arc<str>, Arc<str>>,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    /// The suite and what it extends, nearest first; `None` after a mistake that leaves nothing to check.
    fn layers(&mut self, path: &Path) -> Option<Vec<Layer>> {
        let file = self.project.shown(path);
        let demo = &*file == builtin::DEMO_FILE && !path.exists();
        let text = match self.project.made(path) {
            Some(made) => Ok(Arc::clone(&made.text)),
            None if demo => Ok(Arc::from(builtin::DEMO)),
            None => read_text(path, &file),
        };
        let mut layers = vec![self.layer(file, text, None)?];
        let mut seen = vec![path.canonicalize().unwrap_or_else(|_| path.to_owned())];
        let mut folder = path.parent().unwrap_or(Path::new("")).to_owned();
        while let Some(layer) = layers.last()
            && let Some(next) = layer.document.extends.clone()
        {
            let next = next.locate(&layer.file);
            let real = self.refer(&next, &folder)?;
            let problem = if seen.contains(&real) {
                Some(("suite.extends-cycle", "the suite extends itself, directly or through others"))
            } else if layers.len() >= MAX_LAYERS {
                Some(("suite.too-complex", "the chain of `extends` is too long"))
            } else {
                None
            };
            if let Some((code, message)) = problem {
                self.diagnostics.push(Diagnostic::error(code, next.origin, message));
                return None;
            }
            let file = self.project.shown(&real);
            let text = read_text(&real, &file);
            folder = real.parent().unwrap_or(Path::new("")).to_owned();
            layers.push(self.layer(file, text, Some(&next.origin))?);
            seen.push(real);
        }
        Some(layers)
    }

    fn layer(
        &mut self,
        file: Arc<str>,
        text: Result<Arc<str>, Problem>,
        named: Option<&Origin>,
    ) -> Option<Layer> {
        let document = match text {
            Ok(text) => {
                self.sources.insert(file.clone(), text.clone());
                yaml::from_text::<Document>(&file, &text)
            }
            Err(problem) => {
                let start = Origin { file: file.clone(), line: 1, column: 1 };
                Err(problem.at(named.unwrap_or(&start)))
            }
        };
        match document {
            Ok(document) => Some(Layer { file, document }),
            Err(diagnostic) => {
                self.diagnostics.push(diagnostic);
                None
            }
        }
    }

    /// The real path of a file that a suite names: beside the suite, else below the project's root.
    fn refer(&mut self, name: &Located<String>, folder: &Path) -> Option<PathBuf> {
        let candidates = [folder.join(&name.value), self.project.root.join(&name.value)];
        let path = candidates.iter().find(|path| path.exists()).unwrap_or(&candidates[0]);
        let found = match self.project.inside(path) {
            Ok(real) => return Some(real),
            Err(Problem::NotFound(_)) => {
                let message = format!("there is no file `{}`", name.value);
                Diagnostic::error("suite.not-found", name.origin.clone(), message)
                    .hint("paths are relative to the suite's folder or to the project")
            }
            Err(problem) => problem.at(&name.origin),
        };
        self.diagnostics.push(found);
        None
    }

    /// The certificates that `target.tls` names. Their texts are no sources: a key must not reach an excerpt or a record.
    fn tls(&mut self, layers: &[Layer]) -> Tls {
        let Some((file, target)) = resolve::first(layers, |document| document.target.as_ref()) else {
            return Tls::default();
        };
        let Some(files) = &target.value.tls else { return Tls::default() };
        let beside = self.project.root.join(Path::new(&**file).parent().unwrap_or(Path::new("")));
        let mut read = |name: &Option<yaml::At<String>>, wanted| {
            let name = name.clone()?.locate(file);
            let real = self.refer(&name, &beside)?;
            let shown = self.project.shown(&real);
            let text = read_text(&real, &shown).map_err(|problem| problem.at(&name.origin));
            let text = text.and_then(|text| tls::checked(text, wanted, &shown, &name.origin));
            text.map_err(|diagnostic| self.diagnostics.push(diagnostic)).ok()
        };
        let (ca, cert, key) = (
            read(&files.value.ca, Wanted::Certificates),
            read(&files.value.cert, Wanted::Certificates),
            read(&files.value.key, Wanted::Key),
        );
        let identity = cert.zip(key).map(|(cert, key)| Arc::from(format!("{cert}\n{key}")));
        let tls = Tls { ca, identity };
        self.diagnostics.extend(tls::unusable(&tls, files, file));
        tls
    }

    /// The key that `auth.issuer.key` names. Its text is no source: it must not reach an excerpt or a record.
    fn issuer_key(&mut self, layers: &[Layer]) -> Option<StableKey> {
        let (file, auth) = resolve::first(layers, |document| document.auth.as_ref())?;
        let TextOr::Map(part) = &auth.value.issuer.value else { return None };
        let name = part.key.clone()?.locate(file);
        let beside = self.project.root.join(Path::new(&**file).parent().unwrap_or(Path::new("")));
        let real = self.refer(&name, &beside)?;
        let shown = self.project.shown(&real);
        let text = read_text(&real, &shown).map_err(|problem| problem.at(&name.origin));
        let key = text.and_then(|text| {
            StableKey::from_pem(&text).map_err(|fault| {
                Diagnostic::error("suite.bad-pem", name.origin.clone(), fault.message)
                    .hint("`rehearsal issuer --export-key FILE` writes a good one")
            })
        });
        key.map_err(|diagnostic| self.diagnostics.push(diagnostic)).ok()
    }

    /// Path and text of the file that `target.server` names.
    fn servers(&mut self, layers: &[Layer]) -> Option<(Arc<str>, Arc<str>)> {
        let (file, target) = resolve::first(layers, |document| document.target.as_ref())?;
        let name = target.value.server.as_ref()?.value.file.clone().locate(file);
        let beside = self.project.root.join(Path::new(&**file).parent().unwrap_or(Path::new("")));
        let real = self.refer(&name, &beside)?;
        let shown = self.project.shown(&real);
        match read_text(&real, &shown) {
            Ok(text) => {
                self.sources.insert(shown.clone(), text.clone());
                Some((shown, text))
            }
            Err(problem) => {
                self.diagnostics.push(problem.at(&name.origin));
                None
            }
        }
    }
}

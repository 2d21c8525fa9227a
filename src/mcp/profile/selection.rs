//! Parts of a profile: `claude-code:menu+result` has these layers of it, `claude-code:-menu.deferral` everything but that
//! value.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{ClientProfile, Conduct, Layer, Menu, Results, Surface, Wire};
use crate::ids::ClientName;

/// The parts of a profile that are wanted; the others behave as `reference` does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts(BTreeMap<Layer, Keep>);

/// What is wanted of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Keep {
    /// All but these values.
    AllBut(BTreeSet<String>),
    /// These values alone.
    Only(BTreeSet<String>),
}

impl Keep {
    fn has(&self, key: &str) -> bool {
        match self {
            Self::AllBut(keys) => !keys.contains(key),
            Self::Only(keys) => keys.contains(key),
        }
    }
}

/// A profile's name and the parts that are wanted of it: `claude-code`, `claude-code:menu+result`,
/// `claude-code:wire+menu.name`, `claude-code:-menu.deferral`.
///
/// # Errors
///
/// Says which layer or value there is not.
pub fn selection(text: &str) -> Result<(&str, Option<Parts>), String> {
    let Some((name, parts)) = text.split_once(':') else { return Ok((text, None)) };
    Ok((name, Some(Parts::read(parts)?)))
}

/// The same with the parts in their usual order, as the name of a profile has them; a text that is no such name stays.
pub fn canonical(text: &str) -> String {
    match selection(text) {
        Ok((name, Some(parts))) => parts.named(name),
        _ => text.to_owned(),
    }
}

impl Parts {
    fn read(text: &str) -> Result<Self, String> {
        let whole = || Layer::ALL.map(|layer| (layer, Keep::AllBut(BTreeSet::new())));
        let mut parts = Self(if text.starts_with('-') { whole().into() } else { BTreeMap::new() });
        let mut rest = text;
        let mut adds = !rest.starts_with('-');
        loop {
            rest = rest.trim_start_matches(['+', '-']);
            let end = rest.find(['+', '-']).unwrap_or(rest.len());
            parts.take(adds, &rest[..end])?;
            let Some(sign) = rest[end..].chars().next() else { break };
            adds = sign == '+';
            rest = &rest[end..];
        }
        match parts.0.is_empty() {
            true => Err(format!("nothing of the client profile is left by `{text}`")),
            false => Ok(parts),
        }
    }

    fn take(&mut self, adds: bool, word: &str) -> Result<(), String> {
        let (name, key) = word.split_once('.').map_or((word, None), |(name, key)| (name, Some(key)));
        let layer = Layer::find(name).ok_or_else(|| {
            let known = Layer::ALL.map(Layer::as_str).join(", ");
            format!("`{name}` is no layer of a client profile; there are {known}")
        })?;
        let Some(key) = key else {
            match adds {
                true => _ = self.0.insert(layer, Keep::AllBut(BTreeSet::new())),
                false => _ = self.0.remove(&layer),
            }
            return Ok(());
        };
        known(layer, key)?;
        let key = key.to_owned();
        match (self.0.get_mut(&layer), adds) {
            (None, true) => _ = self.0.insert(layer, Keep::Only([key].into())),
            (None, false) => {
                return Err(format!("`{word}` cannot be left out, since `{name}` is not wanted at all"));
            }
            (Some(Keep::AllBut(keys)), true) => _ = keys.remove(&key),
            (Some(Keep::AllBut(keys)), false) => _ = keys.insert(key),
            (Some(Keep::Only(keys)), true) => _ = keys.insert(key),
            (Some(Keep::Only(keys)), false) => {
                keys.remove(&key);
                if keys.is_empty() {
                    self.0.remove(&layer);
                }
            }
        }
        Ok(())
    }

    /// The name of a profile with only these parts.
    fn named(&self, name: &str) -> String {
        let left_out = |layer: Layer, keys: &BTreeSet<String>| -> String {
            keys.iter().map(|key| format!("-{}.{key}", layer.as_str())).collect()
        };
        let all = |keep: &Keep| matches!(keep, Keep::AllBut(_));
        let some_out = self.0.values().any(|keep| *keep != Keep::AllBut(BTreeSet::new()));
        if some_out && self.0.len() == Layer::ALL.len() && self.0.values().all(all) {
            let out = self.0.iter().map(|(layer, keep)| match keep {
                Keep::AllBut(keys) | Keep::Only(keys) => left_out(*layer, keys),
            });
            return format!("{name}:{}", out.collect::<String>());
        }
        let words = self.0.iter().map(|(layer, keep)| match keep {
            Keep::AllBut(keys) => format!("{}{}", layer.as_str(), left_out(*layer, keys)),
            Keep::Only(keys) => {
                let keys = keys.iter().map(|key| format!("{}.{key}", layer.as_str()));
                keys.collect::<Vec<_>>().join("+")
            }
        });
        format!("{name}:{}", words.collect::<Vec<_>>().join("+"))
    }

    fn of<T: Default + Serialize + DeserializeOwned>(&self, layer: Layer, value: T) -> T {
        let Some(keep) = self.0.get(&layer) else { return T::default() };
        // Layers are made of maps, lists and texts, which always serialise, and every value may be absent.
        let Ok(Value::Object(mut map)) = serde_json::to_value(&value) else { return value };
        map.retain(|key, _| keep.has(key));
        serde_json::from_value(Value::Object(map)).unwrap_or(value)
    }
}

impl ClientProfile {
    /// The same with only these parts; the others behave as `reference` does. The name says so, since it is another
    /// client: `claude-code:menu+result`.
    #[must_use]
    pub fn only(self, parts: &Parts) -> Self {
        Self {
            name: ClientName::from(parts.named(self.name.as_str()).as_str()),
            wire: parts.of(Layer::Wire, self.wire),
            menu: parts.of(Layer::Menu, self.menu),
            result: parts.of(Layer::Result, self.result),
            conduct: parts.of(Layer::Conduct, self.conduct),
            surface: parts.of(Layer::Surface, self.surface),
            ..self
        }
    }
}

/// Whether a layer has a value of this name.
fn known(layer: Layer, key: &str) -> Result<(), String> {
    let asked = || Value::Object(Map::from_iter([(key.to_owned(), Value::Null)]));
    let unknown = match layer {
        Layer::Wire => serde_json::from_value::<Wire>(asked()).err(),
        Layer::Menu => serde_json::from_value::<Menu>(asked()).err(),
        Layer::Result => serde_json::from_value::<Results>(asked()).err(),
        Layer::Conduct => serde_json::from_value::<Conduct>(asked()).err(),
        Layer::Surface => serde_json::from_value::<Surface>(asked()).err(),
    };
    unknown.map_or(Ok(()), |error| {
        let words = error.to_string();
        let known = words.split("expected one of ").nth(1).unwrap_or_default().replace('`', "");
        Err(format!("`{}.{key}` is no value of a client profile; the layer has {known}", layer.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Deferral, Parallel};
    use super::*;

    fn strict() -> ClientProfile {
        let mut profile = ClientProfile::blank(ClientName::from("strict"));
        profile.menu.limit = Some(3);
        profile.menu.deferral = Some(Deferral { tool: "Find".to_owned(), results: 2, direct: 0 });
        profile.conduct.parallel = Some(Parallel::Never);
        profile
    }

    fn only(text: &str) -> ClientProfile {
        strict().only(&selection(text).unwrap().1.unwrap())
    }

    #[test]
    fn layers_are_switched_one_by_one() {
        assert_eq!(selection("strict:menu+wire").unwrap().0, "strict");
        let chosen = only("strict:menu+wire");
        assert_eq!(chosen.name.as_str(), "strict:wire+menu");
        assert_eq!((chosen.menu.limit, chosen.conduct.parallel), (Some(3), None));
        assert_eq!(canonical("strict:menu+wire"), "strict:wire+menu");
        assert_eq!(canonical("strict:meny"), "strict:meny");
        assert_eq!(selection("strict").unwrap(), ("strict", None));
        assert!(selection("strict:meny").unwrap_err().contains("`meny`"));
        assert!(selection("strict:").is_err());
    }

    #[test]
    fn values_are_switched_one_by_one() {
        let without = only("strict:-menu.deferral");
        assert_eq!(without.name.as_str(), "strict:-menu.deferral");
        assert_eq!((without.menu.limit, without.menu.deferral.is_none()), (Some(3), true));
        assert_eq!(without.conduct.parallel, Some(Parallel::Never));
        let one = only("strict:menu.limit+conduct");
        assert_eq!((one.menu.limit, one.menu.deferral.is_none()), (Some(3), true));
        assert_eq!(only("strict:-conduct").conduct.parallel, None);
        for (written, usual) in [
            ("s:menu-menu.limit-menu.deferral+wire", "s:wire+menu-menu.deferral-menu.limit"),
            ("s:menu.order+menu.limit", "s:menu.limit+menu.order"),
            ("s:-menu.limit+menu.limit", "s:wire+menu+result+conduct+surface"),
            ("s:-menu.limit-wire.quirks", "s:-wire.quirks-menu.limit"),
            ("s:-surface-menu.limit", "s:wire+menu-menu.limit+result+conduct"),
        ] {
            assert_eq!(canonical(written), usual, "{written}");
            assert_eq!(canonical(usual), usual);
        }
        let wrong = |text: &str| selection(text).unwrap_err();
        assert!(
            wrong("s:-menu.deferal").contains("`menu.deferal` is no value"),
            "{}",
            wrong("s:-menu.deferal")
        );
        assert!(wrong("s:-menu.deferal").contains("deferral, schema"), "{}", wrong("s:-menu.deferal"));
        assert!(wrong("s:wire-menu.limit").contains("not wanted at all"));
        assert!(wrong("s:menu-menu").contains("nothing"));
        assert!(wrong("s:menu.limit-menu.limit").contains("nothing"));
    }
}

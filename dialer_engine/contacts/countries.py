"""Countries as people write them, in English, Spanish and French: is this the US, Canada or another one?"""

import re
import unicodedata

import phonenumbers

_COUNTRIES = (
    # Two letters and three of ISO 3166, then names; the US with its outlying islands, and Canada.
    "US USA/United States/United States of America/America/Estados Unidos/Estados Unidos de América/U S/U S A/"
    "EEUU/EE UU/EUA/États-Unis/États-Unis d'Amérique/840|CA CAN/Canada/Canadá/124|"
    "UM UMI/United States Minor Outlying Islands|"
    # The territories, which have calling hours of their own.
    "PR PRI/Puerto Rico/Porto Rico|GU GUM/Guam|AS ASM/American Samoa/Samoa Americana/Samoa américaines|"
    "VI VIR/US Virgin Islands/United States Virgin Islands/Virgin Islands/USVI/Islas Vírgenes Americanas/"
    "Islas Vírgenes de los Estados Unidos/Îles Vierges Américaines/Îles Vierges des États-Unis|"
    "MP MNP/Northern Mariana Islands/Islas Marianas del Norte/Îles Mariannes du Nord/CNMI|"
    # All others, the names as in phonenumbers 9.0.43 and others that are in use.
    "AD AND/Andorra/Andorre|AE ARE/United Arab Emirates/Emiratos Árabes Unidos/Emirats Arabes Unis/UAE/Emirates|"
    "AF AFG/Afghanistan/Afganistán|AG ATG/Antigua and Barbuda/Antigua y Barbuda/Antigua et Barbuda|"
    "AI AIA/Anguilla/Anguila|AL ALB/Albania/Albanie|AM ARM/Armenia/Arménie|AO AGO/Angola|"
    "AQ ATA/Antarctica/Antártida/Antarctique|AR ARG/Argentina/Argentine|AT AUT/Austria/Autriche/Österreich|"
    "AU AUS/Australia/Australie|AW ABW/Aruba|AX ALA/Åland Islands/Islas Aland/Îles Åland|"
    "AZ AZE/Azerbaijan/Azerbaiyán/Azerbaïdjan|"
    "BA BIH/Bosnia and Herzegovina/Bosnia y Hercegovina/Bosnie-Herzégovine/Bosnia/Bosnie|BB BRB/Barbados/Barbade|"
    "BD BGD/Bangladesh|BE BEL/Belgium/Bélgica/Belgique|BF BFA/Burkina Faso|BG BGR/Bulgaria/Bulgarie|"
    "BH BHR/Bahrain/Bahreïn|BI BDI/Burundi|BJ BEN/Benin|BL BLM/Saint Barthélemy/San Bartolomé|"
    "BM BMU/Bermuda/Bermudas/Bermudes|BN BRN/Brunei/Brunei Darussalam|"
    "BO BOL/Bolivia/Bolivie/Plurinational State of Bolivia|"
    "BQ BES/Bonaire, Sint Eustatius and Saba/Bonaire, San Eustaquio y Saba/Bonaire, Saint-Eustache et Saba|"
    "BR BRA/Brazil/Brasil/Brésil|BS BHS/Bahamas|BT BTN/Bhutan/Bután/Bhoutan|"
    "BV BVT/Bouvet Island/Isla Bouvet/Île Bouvet|BW BWA/Botswana/Botsuana|"
    "BY BLR/Belarus/Bielorrusia/Biélo-Russie|BZ BLZ/Belize/Belice|CC CCK/Cocos Islands/Islas Cocos/Îles Cocos|"
    "CD COD/The Democratic Republic of Congo/República Democrática del Congo/République démocratique du Congo/"
    "Democratic Republic of the Congo/DR Congo/DRC|"
    "CF CAF/Central African Republic/República Centroafricana/République Centre-Africaine|"
    "CG COG/Congo/Republic of the Congo|CH CHE/Switzerland/Suiza/Suisse/Schweiz|"
    "CI CIV/Côte d'Ivoire/Costa de Marfil/Ivory Coast|CK COK/Cook Islands/Islas Cook/Îles Cook|"
    "CL CHL/Chile/Chili|CM CMR/Cameroon/Camerún/Cameroun|"
    "CN CHN/China/Chine/People's Republic of China/PR China/PRC|CO COL/Colombia/Colombie|CR CRI/Costa Rica|"
    "CU CUB/Cuba|CV CPV/Cape Verde/Cabo Verde/Cap Vert|CW CUW/Curaçao|"
    "CX CXR/Christmas Island/Isla Christmas/Île Christmas|CY CYP/Cyprus/Chipre/Chypre|"
    "CZ CZE/Czech Republic/Chequia/République Tchèque/Czechia/Tchéquie|"
    "DE DEU/Germany/Alemania/Allemagne/Deutschland|DJ DJI/Djibouti/Yibuti|"
    "DK DNK/Denmark/Dinamarca/Danemark/Danmark|DM DMA/Dominica/Dominique|"
    "DO DOM/Dominican Republic/República Dominicana/République Dominicaine/Dominican Rep|"
    "DZ DZA/Algeria/Argelia/Algérie|EC ECU/Ecuador/Equateur|EE EST/Estonia/Estonie|EG EGY/Egypt/Egipto/Egypte|"
    "EH ESH/Western Sahara/Sahara Occidental|ER ERI/Eritrea/Erythrée|ES ESP/Spain/España/Espagne|"
    "ET ETH/Ethiopia/Etiopía/Ethiopie|FI FIN/Finland/Finlandia/Finlande|FJ FJI/Fiji/Fiyi/Fidji|"
    "FK FLK/Falkland Islands/Islas Malvinas/Îles Malouines|FM FSM/Micronesia/Micronésie|"
    "FO FRO/Faroe Islands/Islas Feroe/Îles Féroé|FR FRA/France/Francia|GA GAB/Gabon|"
    "GB GBR/United Kingdom/Reino Unido/Royaume-Uni/UK/Great Britain/Britain/England/Scotland/Wales/Northern Ireland/"
    "Inglaterra/Gran Bretaña/Angleterre/Grande-Bretagne|"
    "GD GRD/Grenada/Granada/Grenade|GE GEO/Georgia/Géorgie|"
    "GF GUF/French Guiana/Guayana Francesa/Guyane française|GG GGY/Guernsey/Guernesey|GH GHA/Ghana|"
    "GI GIB/Gibraltar|GL GRL/Greenland/Groenlandia/Groenland|GM GMB/Gambia/Gambie|GN GIN/Guinea/Guinée|"
    "GP GLP/Guadeloupe/Guadalupe|GQ GNQ/Equatorial Guinea/Guinea Ecuatorial/Guinée Equatoriale|"
    "GR GRC/Greece/Grecia/Grèce|"
    "GS SGS/South Georgia and The South Sandwich Islands/Islas Georgia del Sur y Sandwich del Sur/"
    "Géorgie du Sud et îles Sandwich du Sud|"
    "GT GTM/Guatemala|GW GNB/Guinea-Bissau/Guinée-Bissau|GY GUY/Guyana|HK HKG/Hong Kong/Hong Kong SAR|"
    "HM HMD/Heard Island and McDonald Islands/Islas Heard y McDonald/Île Heard et îles McDonald|HN HND/Honduras|"
    "HR HRV/Croatia/Croacia/Croatie|HT HTI/Haiti|HU HUN/Hungary/Hungría/Hongrie|ID IDN/Indonesia/Indonésie|"
    "IE IRL/Ireland/Irlanda/Irlande/Republic of Ireland/Eire|IL ISR/Israel|"
    "IM IMN/Isle of Man/Isla de Man/Ile de Man|IN IND/India/Inde|"
    "IO IOT/British Indian Ocean Territory/Territorio Británico del Océano Índico/"
    "Territoires britanniques de l'Océan Indien|"
    "IQ IRQ/Iraq/Irak|IR IRN/Iran/Islamic Republic of Iran|IS ISL/Iceland/Islandia/Islande|"
    "IT ITA/Italy/Italia/Italie|JE JEY/Jersey|JM JAM/Jamaica/Jamaïque|JO JOR/Jordan/Jordania/Jordanie|"
    "JP JPN/Japan/Japón|KE KEN/Kenya/Kenia|KG KGZ/Kyrgyzstan/Kirguizistán|KH KHM/Cambodia/Camboya/Cambodge|"
    "KI KIR/Kiribati|KM COM/Comoros/Comores|"
    "KN KNA/Saint Kitts and Nevis/San Cristóbal y Nieves/Saint-Christophe-et-Niévès/St Kitts and Nevis|"
    "KP PRK/North Korea/Corea del Norte/Corée du Nord|"
    "KR KOR/South Korea/Corea del Sur/Corée du Sud/Korea/Republic of Korea/Corea/Corée|KW KWT/Kuwait/Koweit|"
    "KY CYM/Cayman Islands/Islas Caimán/Îles Caïmans|KZ KAZ/Kazakhstan/Kazajstán|LA LAO/Laos/Lao PDR|"
    "LB LBN/Lebanon/Líbano/Liban|LC LCA/Saint Lucia/Santa Lucia/Sainte-Lucie/St Lucia|LI LIE/Liechtenstein|"
    "LK LKA/Sri Lanka|LR LBR/Liberia|LS LSO/Lesotho/Lesoto|LT LTU/Lithuania/Lituania/Lithuanie|"
    "LU LUX/Luxembourg/Luxemburgo|LV LVA/Latvia/Letonia/Lettonie|LY LBY/Libya/Libia/Libye|"
    "MA MAR/Morocco/Marruecos/Maroc|MC MCO/Monaco|MD MDA/Moldova/Moldavia/Moldavie/Republic of Moldova|"
    "ME MNE/Montenegro|MF MAF/Saint Martin/San Martín|MG MDG/Madagascar|"
    "MH MHL/Marshall Islands/Islas Marshall/Îles Marshall|MK MKD/Macedonia/Macédoine/North Macedonia|ML MLI/Mali|"
    "MM MMR/Myanmar/Burma|MN MNG/Mongolia/Mongolie|MO MAC/Macao/Macau|MQ MTQ/Martinique/Martinica|"
    "MR MRT/Mauritania/Mauritanie|MS MSR/Montserrat|MT MLT/Malta/Malte|MU MUS/Mauritius/Mauricio/Maurice|"
    "MV MDV/Maldives/Maldivas|MW MWI/Malawi/Malaui|MX MEX/Mexico/Mexique/Méjico/Estados Unidos Mexicanos|"
    "MY MYS/Malaysia/Malasia/Malaisie|MZ MOZ/Mozambique|NA NAM/Namibia/Namibie|"
    "NC NCL/New Caledonia/Nueva Caledonia/Nouvelle-Calédonie|NE NER/Niger|"
    "NF NFK/Norfolk Island/Isla Norfolk/Île Norfolk|NG NGA/Nigeria|NI NIC/Nicaragua|"
    "NL NLD/Netherlands/Holanda/Pays-Bas/Holland/Nederland/Países Bajos|NO NOR/Norway/Noruega/Norvège/Norge|"
    "NP NPL/Nepal|NR NRU/Nauru|NU NIU/Niue|NZ NZL/New Zealand/Nueva Zelanda/Nouvelle-Zélande|OM OMN/Oman|"
    "PA PAN/Panama|PE PER/Peru/Pérou|PF PYF/French Polynesia/Polinesia Francesa/Polynésie Française|"
    "PG PNG/Papua New Guinea/Papouasie-Nouvelle-Guinée|PH PHL/Philippines/Filipinas|PK PAK/Pakistan/Paquistán|"
    "PL POL/Poland/Polonia/Pologne/Polska|"
    "PM SPM/Saint Pierre and Miquelon/San Pedro y Miquelón/Saint-Pierre-et-Miquelon|"
    "PN PCN/Pitcairn/Islas Pitcairn|PS PSE/Palestine/Palestina/Palestinian Territory/State of Palestine|"
    "PT PRT/Portugal|PW PLW/Palau/Palaos/Belau|PY PRY/Paraguay|QA QAT/Qatar|RE REU/Reunion/La Réunion|"
    "RO ROU/Romania/Rumania/Roumanie|RS SRB/Serbia/Serbie|RU RUS/Russia/Rusia/Russie/Russian Federation|"
    "RW RWA/Rwanda/Ruanda|SA SAU/Saudi Arabia/Arabia Saudita/Arabie Saoudite|"
    "SB SLB/Solomon Islands/Islas Salomón/Îles Salomon|SC SYC/Seychelles|SD SDN/Sudan/Soudan|"
    "SE SWE/Sweden/Suecia/Suède/Sverige|SG SGP/Singapore/Singapur/Singapour|"
    "SH SHN/Saint Helena/Santa Helena/Sainte-Hélène|SI SVN/Slovenia/Eslovenia/Slovénie|"
    "SJ SJM/Svalbard and Jan Mayen/Svalbard y Jan Mayen/Svalbard et Jan Mayen|"
    "SK SVK/Slovakia/Eslovaquia/Slovaquie|SL SLE/Sierra Leone/Sierra Leona|SM SMR/San Marino/Saint-Marin|"
    "SN SEN/Senegal|SO SOM/Somalia/Somalie|SR SUR/Suriname/Surinam|SS SSD/South Sudan/Sudán del Sur/Sud-Soudan|"
    "ST STP/Sao Tome and Principe/Santo Tomé y Príncipe/Sao Tomé et Principe|SV SLV/El Salvador|"
    "SX SXM/Sint Maarten (Dutch part)/San Martín (región holandesa)/Saint-Martin (partie néerlandaise)|"
    "SY SYR/Syria/Siria/Syrie/Syrian Arab Republic|SZ SWZ/Swaziland/Suazilandia/Eswatini|"
    "TC TCA/Turks and Caicos Islands/Islas Turcas y Caicos/Îles Turks et Caicos|TD TCD/Chad/Tchad|"
    "TF ATF/French Southern Territories/Territorios Franceses del Sur/Territoires Français du Sud|TG TGO/Togo|"
    "TH THA/Thailand/Tailandia/Thaïlande|TJ TJK/Tajikistan/Tayikistán/Tadjikistan|TK TKL/Tokelau|"
    "TL TLS/Timor-Leste/Timor Oriental|TM TKM/Turkmenistan|TN TUN/Tunisia/Túnez/Tunisie|TO TON/Tonga|"
    "TR TUR/Turkey/Turquía/Turquie/Türkiye|"
    "TT TTO/Trinidad and Tobago/Trinidad y Tobago/Trinité-et-Tobago/Trinidad|TV TUV/Tuvalu|"
    "TW TWN/Taiwan/Taiwan, Province of China|TZ TZA/Tanzania/Tanzanie/United Republic of Tanzania|"
    "UA UKR/Ukraine/Ucrania|UG UGA/Uganda/Ouganda|UY URY/Uruguay|UZ UZB/Uzbekistan/Ouzbékistan|"
    "VA VAT/Vatican/Ciudad del Vaticano/Vatican City/Holy See|"
    "VC VCT/Saint Vincent and The Grenadines/San Vicente y las Granadinas/Saint-Vincent-et-les Grenadines/"
    "St Vincent and the Grenadines|"
    "VE VEN/Venezuela|VG VGB/British Virgin Islands/Islas Vírgenes Británicas/Iles Vierges Britanniques|"
    "VN VNM/Vietnam/Viet Nam|VU VUT/Vanuatu|WF WLF/Wallis and Futuna/Wallis y Futuna/Wallis-et-Futuna|"
    "WS WSM/Samoa|XK XKX/Kosovo|YE YEM/Yemen|YT MYT/Mayotte|ZA ZAF/South Africa/Sudáfrica/Afrique du Sud|"
    "ZM ZMB/Zambia/Zambie|ZW ZWE/Zimbabwe/Zimbabue"
)
_OURS = {"UM": "US", **{code: f"US-{code}" for code in ("PR", "GU", "AS", "VI", "MP")}}
_NO_NAMES = frozenset({"na", "n a", "none", "unknown"})
"""What people write where they know none; NA is more often `not available` than Namibia."""
_TWICE = re.compile(r"(.+?)(?: [-\u2013\u2014] (.+)| ?\(([a-z]{2,3})\))", re.IGNORECASE | re.ASCII)


def plain(text: str) -> str:
    """Return a name without accents, dots and dashes: 'Nouveau-Brunswick' and 'nouveau brunswick' are the same."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    words = re.sub(r"[^\w']|_", " ", bare.casefold().replace(".", "").replace("&", " and "))
    return " ".join(words.split())


def _table() -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in _COUNTRIES.split("|"):
        code, names = entry.split(" ", 1)
        found |= dict.fromkeys(map(plain, (code, *names.split("/"))), _OURS.get(code, code))
    return {name: code for name, code in found.items() if name not in _NO_NAMES}


_CODES = _table()


def read_country(text: str) -> str | None:
    """Return `US`, `CA`, a territory such as `US-PR`, or the two letters of another country (ISO 3166).

    Also of a calling code. Empty when none is named, by a blank, by `N/A` or by the 1 that the US and Canada share;
    None when the text is not understood.
    """
    name = plain(text.removesuffix(".0"))
    if not name or name in _NO_NAMES:
        return ""
    return _named(name) or _written_twice(text) or _of_calling_code(name)


def _named(name: str) -> str | None:
    return _CODES.get(name) or _CODES.get(name.removeprefix("the "))


def _written_twice(text: str) -> str | None:
    """Return the country of `United States (US)` or `US - United States`; `Georgia (US)` or `Lebanon (OH)` is none."""
    sides = _TWICE.fullmatch(text.strip())
    codes = {_named(plain(side)) for side in sides.groups() if side} if sides else set()
    return codes.pop() if len(codes) == 1 else None


def _of_calling_code(name: str) -> str | None:
    code = re.fullmatch(r"(?:00)?([1-9]\d{0,2})", name, re.ASCII)
    if code is None:
        return None
    if code[1] == "1":
        return ""
    country = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(code[1]), ("",))[0]
    return country if country.isalpha() else None

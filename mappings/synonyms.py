"""Words that systems use for customer fields, in English and Chinese, by the canonical field they mean."""

from __future__ import annotations

SYNONYMS: dict[str, str] = {
    "name": (
        "客户名称 名称 公司名称 单位名称 企业名称 客户全称 姓名 客户 customer_name customername "
        "company_name companyname company account_name accountname name full_name fullname display_name "
        "displayname customer cusname ccusname fname"
    ),
    "legal_name": "发票抬头 开票名称 注册名称 legal_name registered_name invoice_title billing_name finvoicetitle",
    "trading_name": "简称 客户简称 short_name shortname abbrname ccusabbname fshortname trading_name brand",
    "latin_name": "英文名称 英文名 english_name name_en latin_name",
    "given_name": "名 first_name firstname given_name givenname forename",
    "family_name": "姓 姓氏 last_name lastname surname family_name familyname",
    "birth_date": "生日 出生日期 birthday birth_date birthdate date_of_birth dob",
    "emails": "邮箱 电子邮箱 电子邮件 邮件 email e_mail email_address emailaddress mail emailaddress1 email_id",
    "phones": (
        "手机 手机号 手机号码 电话 联系电话 固定电话 座机 传真 mobile mobile_phone mobilephone cell phone "
        "phone_number phonenumber telephone tel fax contact_phone phone1 telephone1 mobile_no ftel"
    ),
    "identifiers": (
        "税号 纳税人识别号 统一社会信用代码 信用代码 tax_id taxid tax_no tax_number taxnumber vat vat_id "
        "vat_number vatid uscc credit_code tax_registration_number ftaxregistercode siret ein duns"
    ),
    "addresses.text": "地址 联系地址 详细地址 注册地址 公司地址 收货地址 送货地址 address full_address faddress",
    "addresses.country": "国家 国家地区 country country_code countrycode",
    "addresses.region": "省 省份 province state region state_province",
    "addresses.city": "市 城市 city town suburb",
    "addresses.district": "区 区县 district county",
    "addresses.street": "街道 street address1 address_1 address_line1 address_line_1 addressline1 street_address",
    "addresses.postcode": "邮编 邮政编码 postcode postal_code postalcode zip zip_code zipcode fzip",
    "status": "状态 客户状态 status state customer_status",
    "currency": "币种 币别 结算币别 货币 currency currency_code currencycode default_currency",
    "credit_limit": "信用额度 授信额度 信用限额 credit_limit creditlimit credit",
    "owner": "业务员 销售员 负责人 客户经理 专管业务员 owner sales_rep salesperson account_manager sales_person",
    "language": "语言 language lang locale preferred_language",
    "website": "网址 网站 公司网址 website web url homepage site",
    "tags": "标签 客户标签 tags tag labels",
    "external_ids": (
        "客户编码 客户编号 客户代码 编码 编号 customer_code customercode customer_no code account_number "
        "customer_id fnumber"
    ),
    "source_created_at": (
        "创建时间 创建日期 建档日期 created_at createdat created create_date creation date_created created_on"
    ),
    "source_changed_at": (
        "修改时间 更新时间 修改日期 最后修改时间 updated_at updatedat modified modified_on write_date "
        "last_modified date_modified updated changed_at fmodifydate lastmodifieddate"
    ),
    "last_contact_at": "最后联系时间 最近跟进时间 last_contact last_contacted last_activity_date",
}
"""Canonical target -> words separated by blanks; `addresses.x` is a field of an address."""
